"""The verbs of the product: which steps in which order, and what is written down when. The rules are in the domain.

No transaction is open while somebody else's computer is waited for: write the intent, commit; call; write the answer.
"""

// Z-Wave JS as it is – driver and server – with a radio and door locks that exist in memory only.
// PORT: the server's WebSocket. CONTROL: what happens at the doors, over HTTP (see `doors`). Both on 127.0.0.1.
// LOCKS, SLOTS, VERSION: how many locks, how many slots each has, and its version of User Code CC.
import { createServer } from "node:http";
import { ZwavejsServer } from "@zwave-js/server";
import { KeypadMode, NotificationCCReport, UserCodeCCReport, UserIDStatus } from "@zwave-js/cc";
import { CommandClasses } from "@zwave-js/core";
import { MockController, MockNode, ccCaps, createMockZWaveRequestFrame } from "@zwave-js/testing";
import {
  createAndStartDriverWithMockPort,
  createDefaultMockControllerBehaviors,
  createDefaultMockNodeBehaviors,
} from "zwave-js/Testing";

const { PORT, CONTROL, LOCKS = "1", SLOTS = "8", VERSION = "1", CACHE } = process.env;
const ACCESS_CONTROL = 6;
const EVENTS = { keypadUnlock: 6, codeDeleted: 13, codeAdded: 14 };
const stateKey = (what, slot) => `UserCode_${what}_${slot}`;

const radio = await createAndStartDriverWithMockPort({
  storage: { cacheDir: CACHE },
  securityKeys: { S0_Legacy: Buffer.alloc(16, 7) },
  timeouts: { report: 500, ack: 500 },
  attempts: { sendData: 1 },
  emitValueUpdateAfterSetValue: true,
});
const controller = await MockController.create({
  homeId: 0x10c4b21d,
  ownNodeId: 1,
  mockPort: radio.mockPort,
  serial: radio.serial,
});
controller.defineBehavior(...createDefaultMockControllerBehaviors());

const silent = new Set();

async function doorLock(id) {
  const userCode = {
    ccId: CommandClasses["User Code"],
    isSupported: true,
    version: Number(VERSION),
    numUsers: Number(SLOTS),
    supportedASCIIChars: "0123456789",
    supportsUserCodeChecksum: false,
    supportsAdminCode: false,
    supportsAdminCodeDeactivation: false,
    supportedKeypadModes: [KeypadMode.Normal],
    supportedUserIDStatuses: [UserIDStatus.Available, UserIDStatus.Enabled, UserIDStatus.Disabled],
  };
  const notification = {
    ccId: CommandClasses.Notification,
    isSupported: true,
    version: 8,
    supportsV1Alarm: false,
    notificationTypesAndEvents: { [ACCESS_CONTROL]: [1, 2, ...Object.values(EVENTS)] },
  };
  const lock = await MockNode.create({
    id,
    controller,
    capabilities: {
      genericDeviceClass: 0x40, // entry control
      specificDeviceClass: 0x03, // secure keypad door lock
      isListening: true,
      commandClasses: [
        CommandClasses["Z-Wave Plus Info"],
        CommandClasses["Manufacturer Specific"],
        CommandClasses.Version,
        { ccId: CommandClasses.Battery, isSupported: true, version: 1 },
        ccCaps({ ccId: CommandClasses["Door Lock"], isSupported: true, version: 4 }),
        ccCaps(userCode),
        ccCaps(notification),
      ],
    },
  });
  lock.defineBehavior(...createDefaultMockNodeBehaviors());
  lock.defineBehavior({ handleCC: () => (silent.has(lock) ? { action: "stop" } : undefined) });
  controller.addNode(lock);
  return lock;
}

const locks = new Map();
for (let id = 2; id < 2 + Number(LOCKS); id += 1) locks.set(String(id), await doorLock(id));

function put(lock, slot, code) {
  lock.state.set(stateKey("userCode", slot), code);
  lock.state.set(stateKey("userIdStatus", slot), code ? UserIDStatus.Enabled : UserIDStatus.Available);
}

async function report(lock, notificationEvent, slot) {
  const about = new UserCodeCCReport({
    nodeId: controller.ownNodeId,
    userId: Number(slot),
    userIdStatus: lock.state.get(stateKey("userIdStatus", slot)) ?? UserIDStatus.Available,
    userCode: lock.state.get(stateKey("userCode", slot)) ?? "0000",
  });
  const eventParameters = await about.serialize({});
  const said = { nodeId: controller.ownNodeId, notificationType: ACCESS_CONTROL, notificationEvent, eventParameters };
  await lock.sendToController(createMockZWaveRequestFrame(new NotificationCCReport(said), { ackRequested: false }));
}

// GET /<verb>/<lock>/<slot>/<code>
const doors = {
  holds: (lock) =>
    Object.fromEntries(
      Array.from({ length: Number(SLOTS) }, (_, index) => String(index + 1))
        .filter((slot) => lock.state.get(stateKey("userIdStatus", slot)))
        .map((slot) => [slot, lock.state.get(stateKey("userCode", slot))]),
    ),
  program: async (lock, slot, code) => {
    put(lock, slot, code);
    await report(lock, EVENTS.codeAdded, slot);
  },
  erase: async (lock, slot) => {
    put(lock, slot, undefined);
    await report(lock, EVENTS.codeDeleted, slot);
  },
  // at the keypad of a lock that tells nobody; without a code: erased
  slip: (lock, slot, code) => put(lock, slot, code),
  type: (lock, slot) => report(lock, EVENTS.keypadUnlock, slot),
  deafen: (lock) => {
    lock.autoAckControllerFrames = false; // it hears and obeys, and nobody hears from it
  },
  silence: (lock) => {
    lock.autoAckControllerFrames = false; // out of range, or its batteries are flat
    silent.add(lock);
  },
  heal: (lock) => {
    lock.autoAckControllerFrames = true;
    silent.delete(lock);
  },
  mode: (lock) => lock.state.get("DoorLock_targetMode") ?? null,
  state: (lock) => Object.fromEntries(lock.state),
};

radio.driver.on("error", (error) => console.error(error.message));
radio.driver.once("driver ready", async () => {
  const server = new ZwavejsServer(radio.driver, { port: Number(PORT), host: "127.0.0.1", enableDNSServiceDiscovery: false });
  await server.start();
});
radio.driver.once("all nodes ready", () => {
  const control = createServer(async (request, response) => {
    const [, verb, lock, slot, code] = request.url.split("/");
    response.end(JSON.stringify((await doors[verb](locks.get(lock), slot, code)) ?? null));
  });
  control.listen(Number(CONTROL), "127.0.0.1");
});
radio.continueStartup();

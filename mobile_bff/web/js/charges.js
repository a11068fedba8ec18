// What this page knows of charges: which are running, which are over, and where the bill of one is.
import { NEWEST_RECORDS, NEWEST_SESSIONS } from "./documents.js";
import { ask } from "./api.js";
import { isSignedIn } from "./account.js";
import { pause } from "./dom.js";

const RUNNING = new Set(["REQUESTED", "AUTHORIZED", "STARTING", "CHARGING", "PAUSED", "STOPPING"]);
const FAILED = new Set(["REFUSED", "START_FAILED"]);
const FLOWING = new Set(["CHARGING", "STOPPING"]);
const BILL_WAITS_MS = [500, 1000, 1000, 2000, 3000, 5000];
const BILL_TRIES = 40;

/** Whether a charge in this state goes on. */
export const isRunning = (state) => RUNNING.has(state);
/** Whether it never became one. */
export const hasFailed = (state) => FAILED.has(state);
/** Whether energy flows. */
export const isFlowing = (state) => FLOWING.has(state);
/** Whether it is over, one way or the other. Of an unknown state nobody knows. */
export const isOver = (state) => ["ENDED", "BILLED", "SETTLED"].includes(state) || FAILED.has(state);

/** The driver's running charge, or null. Throws Trouble. */
export async function findRunning() {
  if (!isSignedIn()) return null;
  const { chargingSessions } = await ask(NEWEST_SESSIONS);
  return chargingSessions.edges.map((edge) => edge.node).find((one) => isRunning(one.state)) ?? null;
}

/** The id of a charge's own bill, once there is one; null when it takes too long. */
export async function findBill(session, signal) {
  for (let times = 0; times < BILL_TRIES && !signal.aborted; times += 1) {
    const bill = await lookForBill(session, signal).catch(() => null);
    if (bill) return bill.id;
    await pause(BILL_WAITS_MS[Math.min(times, BILL_WAITS_MS.length - 1)], signal);
  }
  return null;
}

/** From the newest bill on back to those that were there before the charge was. */
async function lookForBill({ id, createdAt }, signal) {
  let after = null;
  do {
    const { chargeRecords: page } = await ask(NEWEST_RECORDS, { after }, { signal });
    const bills = page.edges.map((edge) => edge.node);
    const own = bills.find((one) => one.sessionId === id);
    if (own) return own;
    const isBefore = bills.some((one) => Date.parse(one.updatedAt) < Date.parse(createdAt));
    after = page.pageInfo.hasNextPage && !isBefore ? page.pageInfo.endCursor : null;
  } while (after !== null);
  return null;
}

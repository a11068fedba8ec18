// The updates of a running charge: graphql-transport-ws over a WebSocket that comes back by itself.
import { token } from "./account.js";
import { PROGRESS } from "./documents.js";
import { language } from "./i18n.js";
import { pause } from "./dom.js";

const PROTOCOL = "graphql-transport-ws";
const FIRST_WAIT_MS = 400;
const LAST_WAIT_MS = 15_000;
const QUIET_MS = 15_000;
const ANSWER_MS = 10_000;
const RENEW = new Set(["token_invalid", "unauthenticated"]);
const FINAL = new Set(["not_found", "malformed"]);

/**
 * Follow a charge from update `after` on, until the signal ends it. `onUpdate` hears each update once and in
 * order, `onLink` "connecting", "live" or "reconnecting", `onComplete` that the service has no more to say:
 * it answers whether the charge is over. `onRefused` hears a code when there is nothing to be followed.
 */
export async function follow(sessionId, { after, signal, onUpdate, onLink, onComplete, onRefused }) {
  const state = { number: after, times: 0, spent: null };
  onLink("connecting");
  while (!signal.aborted) {
    const end = await connected(sessionId, state, { signal, onUpdate, onLink });
    if (signal.aborted) return;
    if (FINAL.has(end.code)) { onRefused(end.code); return; }
    if (end.completed && (await onComplete())) return;
    onLink("reconnecting");
    if (RENEW.has(end.code) && state.times < 2) state.times += 1;
    else await turn(state, signal);
  }
}

function connected(sessionId, state, { signal, onUpdate, onLink }) {
  return new Promise((done) => {
    let socket = null;
    let quiet = 0;
    let ended = false;
    const end = (how) => {
      if (ended) return;
      ended = true;
      clearTimeout(quiet);
      signal.removeEventListener("abort", left);
      removeEventListener("offline", left);
      if (RENEW.has(how.code)) state.spent = state.used;
      socket?.close();
      done(how);
    };
    const left = () => end({});
    signal.addEventListener("abort", left);
    addEventListener("offline", left);

    // A line that is cut says nothing: after a while of silence a ping asks, and no answer is an answer.
    const listen = () => {
      clearTimeout(quiet);
      quiet = setTimeout(() => {
        say({ type: "ping" });
        quiet = setTimeout(left, ANSWER_MS);
      }, QUIET_MS);
    };
    const say = (message) => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); };
    const hear = (message) => {
      listen();
      if (message.type === "ping") say({ type: "pong" });
      else if (message.type === "connection_ack") subscribe();
      else if (message.type === "next") next(message.payload);
      else if (message.type === "error") end({ code: codeOf(message.payload) });
      else if (message.type === "complete") end({ completed: true });
    };
    const subscribe = () => {
      say({ id: "1", type: "subscribe", payload: { query: PROGRESS, variables: { id: sessionId, after: state.number } } });
      onLink("live");
    };
    const next = (payload) => {
      if (payload.errors) { end({ code: codeOf(payload.errors) }); return; }
      const update = payload.data.chargingProgress;
      state.times = 0;
      if (update.number <= state.number) return;
      state.number = update.number;
      onUpdate(update);
    };

    token({ spent: state.spent }).then((used) => {
      if (ended) return;
      if (!used) { end({ code: "unauthenticated" }); return; }
      state.used = used;
      socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`, PROTOCOL);
      socket.onopen = () => {
        listen();
        say({ type: "connection_init", payload: { authorization: `Bearer ${used}`, locale: language() } });
      };
      socket.onmessage = (event) => hear(JSON.parse(event.data));
      socket.onclose = (event) => end({ code: event.code === 4403 ? event.reason : null });
      quiet = setTimeout(left, ANSWER_MS);
    }, left);
  });
}

function codeOf(errors) {
  return errors[0]?.extensions?.code ?? null;
}

/** Longer each time and never quite alike; at once when the phone is online again or looked at. */
async function turn(state, signal) {
  const most = Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** state.times);
  state.times += 1;
  const ender = new AbortController();
  const end = () => ender.abort();
  const looked = () => { if (document.visibilityState === "visible") end(); };
  signal.addEventListener("abort", end);
  addEventListener("online", end);
  document.addEventListener("visibilitychange", looked);
  await pause(most / 2 + (Math.random() * most) / 2, ender.signal);
  signal.removeEventListener("abort", end);
  removeEventListener("online", end);
  document.removeEventListener("visibilitychange", looked);
}

// Asks what ORDER says and counts what came of it, under names that begin with cutover_.

import http from "k6/http";
import exec from "k6/execution";
import { Counter, Trend } from "k6/metrics";

const order = ORDER;

const times = new Trend("cutover_times", true);
const ends = new Trend("cutover_ends", true);
const connects = new Counter("cutover_connects");
const counters = Object.fromEntries(order.counters.map((name) => [name, new Counter(`cutover_${name}`)]));

export const options = order.options;

export default function () {
  const began = Date.now();
  const request = order.requests[exec.scenario.iterationInTest % order.requests.length];
  const response = http.request(request.method, request.url, request.body, {
    headers: request.headers, timeout: order.timeout, redirects: 0, responseType: "none",
  });
  if (exec.scenario.name !== "load") return;
  const now = Date.now();
  const { connecting, blocked, tls_handshaking, duration } = response.timings;
  ends.add(now - exec.scenario.startTime);
  if (connecting > 0) connects.add(1);
  const { status } = response;
  if (status === 0) {
    const kind = lost(response);
    counters[kind].add(1);
    if (kind === "timeout") times.add(now - began);
    return;
  }
  (counters[status] || counters.unnamed).add(1);
  if (request.expected ? request.expected.includes(status) : status < 400) {
    times.add(order.open ? blocked + connecting + tls_handshaking + duration : duration);
  } else {
    counters[status < 400 ? "status" : status < 500 ? "4xx" : "5xx"].add(1);
  }
}

function lost({ error, error_code }) {
  const known = order.kinds[error_code] || order.kinds[Math.floor(error_code / 100) * 100];
  if (known) return known;
  const [, kind] = order.words.find(([words]) => error.includes(words)) || [];
  return kind || "connection";
}

export function handleSummary({ metrics }) {
  const ours = Object.entries(metrics).filter(([name]) => name.startsWith("cutover_") || name.endsWith("{scenario:load}"));
  return { stdout: JSON.stringify(Object.fromEntries(ours.map(([name, { values }]) => [name, values]))) };
}

/** The page: what is clicked becomes a wish, and what happens is shown. */

import { DemoClient, type DemoState } from "./demo-client.ts";
import { RateMeter } from "./rates.ts";

/** How often figures are renewed, in milliseconds. */
const renewal = 500;
/** Lines of what happened. */
const shownEvents = 8;

const form = element<HTMLFormElement>("connection");
const connectButton = element<HTMLButtonElement>("connect");
const stateLine = element("state");
const chart = element("chart");
const events = element("events");
const figures = (["published", "confirmed", "consumed"] as const).map((name) => ({
  name,
  meter: new RateMeter(),
  rate: element(`${name}-rate`),
  total: element(name),
}));

const client = new DemoClient(showState);
let shown: DemoState = { name: "idle" };
/** There is something to disconnect. */
let isOn = false;

field("url").value = location.origin.replace(/^http/, "ws") + "/";

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (isOn) return client.stop();
  const [url, username, password, virtualHost, queue] = ["url", "username", "password", "virtualHost", "queue"].map(
    (name) => field(name).value,
  ) as [string, string, string, string, string];
  client.start({ url, username, password, virtualHost, queue });
});

for (const wish of ["publish", "consume"] as const) {
  const button = element<HTMLButtonElement>(wish);
  button.addEventListener("click", () => {
    client.wishes[wish] = !client.wishes[wish];
    button.setAttribute("aria-pressed", String(client.wishes[wish]));
  });
}

for (const wish of ["speed", "size"] as const) {
  const select = element<HTMLSelectElement>(wish);
  select.addEventListener("change", () => {
    client.wishes[wish] = Number(select.value);
  });
}

// A connection outlives a network that is away for a moment; that it is lost is noticed later.
addEventListener("offline", () => showState(shown));
addEventListener("online", () => {
  showState(shown);
  client.reconnectSoon();
});

setInterval(showFigures, renewal);

function showState(state: DemoState): void {
  shown = state;
  const text = navigator.onLine ? describe(state) : `${describe(state)} (this machine is offline)`;
  isOn = state.name !== "idle" && state.name !== "failed";
  connectButton.textContent = isOn ? "Disconnect" : "Connect";
  stateLine.dataset["state"] = state.name;
  stateLine.textContent = text;
  const line = document.createElement("li");
  line.textContent = `${new Date().toLocaleTimeString()}  ${text}`;
  events.prepend(line);
  while (events.childElementCount > shownEvents) events.lastElementChild?.remove();
}

function describe(state: DemoState): string {
  switch (state.name) {
    case "idle":
      return "Not connected";
    case "connecting":
      return "Connecting …";
    case "connected":
      return `Connected to ${state.server}`;
    case "lost":
      return `Lost: ${state.reason}; it comes back by itself`;
    case "failed":
      return `Not connected: ${state.reason}`;
  }
}

function showFigures(): void {
  const now = performance.now();
  for (const { name, meter, rate, total } of figures) {
    const count = client.counts[name];
    rate.textContent = Math.round(meter.note(count, now)).toLocaleString("en");
    total.textContent = `${count.toLocaleString("en")} in all`;
  }
  const highest = Math.max(...figures.map(({ meter }) => meter.highest));
  for (const { name, meter } of figures) {
    chart.querySelector(`path.${name}`)?.setAttribute("d", meter.path(600, 120, highest));
  }
}

function element<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as unknown as T;
}

function field(name: string): HTMLInputElement {
  return form.elements.namedItem(name) as HTMLInputElement;
}

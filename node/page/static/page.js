// Keyboard and refreshing for the site page. Everything works without it, a click slower.
"use strict";

document.documentElement.classList.add("js");
const PART = { "X-FedRx-Part": "1" };

/* Parts of a screen that change by themselves: data-part names where, data-every how often. */
function refresh(part) {
  setTimeout(async () => {
    if (!part.isConnected) return;
    try {
      const answer = document.hidden ? null : await fetch(part.dataset.part, { headers: PART });
      if (answer && answer.status === 401) { location.assign("/login"); return; }
      if (answer && answer.ok && !part.contains(document.activeElement)) {
        const holder = document.createElement("template");
        holder.innerHTML = await answer.text();
        const fresh = holder.content.firstElementChild;
        part.replaceWith(fresh);
        if (fresh.dataset.part) refresh(fresh);
        return;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the page's process is away: ask again later
    }
    refresh(part);
  }, Number(part.dataset.every));
}
document.querySelectorAll("[data-part]").forEach(refresh);

const here = document.querySelector("nav [aria-current]");
if (here) here.scrollIntoView({ block: "nearest", inline: "center" });

/* A form that takes seconds says so, and is not sent twice. */
document.querySelectorAll("form[data-busy]").forEach((form) => form.addEventListener("submit", () => {
  const button = form.querySelector("button.main");
  button.textContent = form.dataset.busy;
  setTimeout(() => { button.disabled = true; }, 0);
}));

/* Fields that belong to a choice: data-when names what must be chosen, such as "giver!=waiver proof=staff". */
document.querySelectorAll("[data-choices]").forEach((form) => {
  const stands = (test) => {
    const [, name, not, value] = test.match(/^(\w+)(!?)=(.+)$/);
    return (new FormData(form).get(name) === value) !== Boolean(not);
  };
  const show = () => form.querySelectorAll("[data-when]").forEach((part) => {
    part.hidden = !part.dataset.when.split(" ").every(stands);
    part.querySelectorAll("input").forEach((field) => { field.disabled = part.hidden; });
  });
  const choose = () => {
    show();
    const proofs = [...form.querySelectorAll("input[name=proof]:enabled")];
    if (proofs.some((field) => field.checked)) return;
    proofs[0].checked = true; // the chosen one belongs to another kind of giver
    show();
  };
  form.querySelectorAll("[data-needed]").forEach((field) => { field.required = true; });
  form.addEventListener("change", choose);
  addEventListener("pageshow", choose); // a browser that comes back fills fields in by itself
  choose();
});

/* Review: one current word, decided with one key. */
const review = document.querySelector("[data-review-page]");
if (review) startReview(review);

function startReview(root) {
  const cards = [...root.querySelectorAll("[data-word]")];
  const sheet = root.querySelector("[data-sheet]");
  const whole = sheet ? sheet.getAttribute("viewBox") : "";
  const said = document.getElementById("said");
  const counter = document.getElementById("waiting");
  const finished = root.querySelector("[data-finished]");
  const unsent = new Set();
  let zoomed = matchMedia("(max-width: 900px)").matches;
  let at = -1;

  const boxOf = (card) => root.querySelector(`[data-box="${card.dataset.word}"]`);
  const inputOf = (card) => card.querySelector("input[name=label]");
  const waits = (card) => card.classList.contains("proposed");

  function show(index) {
    if (index < 0 || index >= cards.length) return;
    cards.forEach((card, number) => {
      card.classList.toggle("current", number === index);
      const box = boxOf(card);
      if (box) box.classList.toggle("current", number === index);
    });
    at = index;
    cards[at].focus({ preventScroll: true });
    cards[at].scrollIntoView({ block: "nearest" });
    look();
  }

  function look() {
    if (!sheet) return;
    const box = zoomed ? boxOf(cards[at]) : null;
    sheet.classList.toggle("zoomed", zoomed);
    if (!box) { sheet.setAttribute("viewBox", whole); return; }
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(box.getAttribute(name)));
    const [, , pageWide, pageHigh] = whole.split(" ").map(Number);
    const wide = Math.min(pageWide, Math.max(width * 4, height * 12));
    const high = Math.min(pageHigh, wide * 0.6);
    const left = Math.min(Math.max(0, x + width / 2 - wide / 2), pageWide - wide);
    const top = Math.min(Math.max(0, y + height / 2 - high / 2), pageHigh - high);
    sheet.setAttribute("viewBox", `${left} ${top} ${wide} ${high}`);
  }

  function next() {
    const order = [...cards.keys()].map((step) => (at + 1 + step) % cards.length);
    const open = order.find((index) => waits(cards[index]));
    if (open !== undefined) { show(open); return; }
    counter.textContent = "no word waits";
    finished.hidden = false;
    [...cards, ...cards.map(boxOf)].forEach((one) => one && one.classList.remove("current"));
    if (unsent.size === 0) finished.querySelector("[data-next]").focus();
  }

  function mark(card, state, words) {
    for (const name of ["proposed", "accepted", "fixed", "rejected", "failed"]) card.classList.toggle(name, name === state);
    const box = boxOf(card);
    if (box) box.setAttribute("class", `box ${state}${card.classList.contains("current") ? " current" : ""}`);
    const label = card.querySelector("[data-state]");
    label.textContent = words;
    label.className = `state ${state}`;
    const left = cards.filter(waits).length;
    counter.textContent = left === 1 ? "1 word waits" : `${left} words wait`;
    said.textContent = `${words}. ${counter.textContent}.`;
  }

  async function send(card, name, value) {
    const form = card.querySelector("form");
    const label = inputOf(card).value;
    if (value === "accept" && !label.trim()) { inputOf(card).focus(); return; }
    const body = new URLSearchParams(new FormData(form));
    body.set(name, value);
    if (name === "pick") inputOf(card).value = value;
    const rejected = name === "action" && value === "reject";
    mark(card, rejected ? "rejected" : "accepted", rejected ? "rejected" : inputOf(card).value);
    unsent.add(card);
    next();
    let trouble = "";
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: PART, keepalive: true });
      if (answer.status === 401) { location.assign("/login"); return; }
      const says = await answer.json();
      if (!answer.ok) trouble = says.trouble;
      else if (says.said === "fix") card.querySelector("[data-state]").classList.add("fixed");
    } catch (error) {
      trouble = "The page's process does not answer.";
    }
    unsent.delete(card);
    if (trouble) {
      finished.hidden = true;
      mark(card, "proposed", "not taken");
      let line = card.querySelector(".trouble");
      if (!line) { line = document.createElement("p"); line.className = "trouble"; card.querySelector(".more").prepend(line); }
      line.textContent = trouble;
      show(cards.indexOf(card));
    } else if (unsent.size === 0 && !finished.hidden) {
      finished.querySelector("[data-next]").focus();
    }
  }

  root.addEventListener("submit", (event) => {
    event.preventDefault();
    const card = event.target.closest("[data-word]");
    const button = event.submitter;
    send(card, button ? button.name : "action", button ? button.value : "accept");
  });
  cards.forEach((card, index) => card.addEventListener("click", () => { if (index !== at) show(index); }));
  if (sheet) sheet.addEventListener("click", (event) => {
    const box = event.target.closest("[data-box]");
    if (!box) return;
    event.preventDefault();
    show(cards.findIndex((card) => card.dataset.word === box.dataset.box));
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at < 0) return;
    const card = cards[at];
    const input = inputOf(card);
    const typing = event.target === input;
    if (typing && event.key === "Escape") { card.focus(); return; }
    const untouched = !typing || input.value === input.dataset.before;
    if (untouched && /^[1-5]$/.test(event.key)) {
      const choice = card.querySelectorAll(".choices button")[Number(event.key) - 1];
      if (choice) { event.preventDefault(); send(card, "pick", choice.value); }
      return;
    }
    if (typing || event.target.closest("input, select, textarea")) return;
    if (event.key === "Enter") {
      if (event.target.closest("a, button, summary") || !card.classList.contains("current")) return;
      event.preventDefault();
      send(card, "action", "accept");
      return;
    }
    const act = {
      f: () => { input.focus(); input.select(); },
      r: () => send(card, "action", "reject"),
      j: () => show(at + 1),
      k: () => show(at - 1),
      z: () => { zoomed = !zoomed; look(); },
    }[event.key.toLowerCase()];
    if (act && card.classList.contains("current") || act && "jk".includes(event.key)) { event.preventDefault(); act(); }
  });

  const named = cards.findIndex((card) => location.hash === `#${card.id}`);
  const first = named >= 0 ? named : cards.findIndex(waits);
  show(Math.max(0, first));
}

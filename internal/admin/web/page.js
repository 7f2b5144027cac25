// Shows times in the reader's own zone on hover, and where asked to, loads the
// page anew every half minute, and when it comes back to the front, without
// closing what is open.
"use strict";
(() => {
  const local = (root) => {
    for (const t of root.querySelectorAll("time[datetime]")) {
      t.title = new Date(t.dateTime).toLocaleString();
    }
  };
  const box = document.getElementById("refresh");
  const keep = "backscatter-refresh";
  let answered = new Date(); // the daemon, the last time

  // show brings in the live parts of a page. While somebody fills in the form, that
  // is the head alone.
  const show = (next) => {
    const open = new Set([...document.querySelectorAll("details[open][id]")].map((d) => d.id));
    const focused = document.activeElement;
    const filling = focused?.closest("form.filters");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = next.getElementById(part.id);
      if (!fresh || (filling && !part.closest("header"))) continue;
      for (const d of fresh.querySelectorAll("details[id]")) d.open = open.has(d.id);
      local(fresh);
      if (part.isEqualNode(fresh)) continue; // an alarm is read out once
      const inside = part.contains(focused) ? focused.closest("[id]") : null;
      part.replaceWith(document.adoptNode(fresh));
      if (inside) document.getElementById(inside.id)?.querySelector("summary")?.focus();
    }
  };

  // away says in the head that what is shown is old.
  const away = () => {
    const down = document.createElement("span");
    down.className = "down";
    down.textContent = `no answer since ${answered.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    document.getElementById("state").replaceChildren(down);
  };

  const refresh = async () => {
    if (!box.checked || document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(20000) });
      if (!answer.ok) throw new Error(answer.statusText);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      answered = new Date();
      show(next);
    } catch {
      away(); // it is asked again next time
    }
  };
  local(document);
  box.closest(".refresh").hidden = false;
  box.checked = sessionStorage.getItem(keep) === "yes";
  box.addEventListener("change", () => {
    sessionStorage.setItem(keep, box.checked ? "yes" : "no");
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, 30000);
})();

// Shows times in the reader's own zone on hover, and where asked to, loads the
// page anew every half minute without closing what is open.
"use strict";
(() => {
  const local = (root) => {
    for (const t of root.querySelectorAll("time[datetime]")) {
      t.title = new Date(t.dateTime).toLocaleString();
    }
  };
  const box = document.getElementById("refresh");
  const keep = "backscatter-refresh";
  const refresh = async () => {
    if (!box.checked || document.hidden) return;
    const open = new Set([...document.querySelectorAll("details[open][id]")].map((d) => d.id));
    const focused = document.activeElement;
    if (focused && focused.closest("form.filters")) return; // somebody is filling it in
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) return;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = next.getElementById(part.id);
        if (!fresh) continue;
        for (const d of fresh.querySelectorAll("details[id]")) d.open = open.has(d.id);
        local(fresh);
        const inside = part.contains(focused) ? focused.closest("[id]") : null;
        part.replaceWith(document.adoptNode(fresh));
        if (inside) document.getElementById(inside.id)?.querySelector("summary")?.focus();
      }
    } catch {
      // the daemon is away: it is asked again next time
    }
  };
  local(document);
  box.parentElement.hidden = false;
  box.checked = sessionStorage.getItem(keep) === "yes";
  box.addEventListener("change", () => sessionStorage.setItem(keep, box.checked ? "yes" : "no"));
  setInterval(refresh, 30000);
})();

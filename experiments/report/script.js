"use strict";

// Theme: follows the system until the button is pressed; forgotten with the page.
{
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const tell = () => button.setAttribute("aria-pressed", dark());
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    tell();
  });
  system.addEventListener("change", tell);
  tell();
}

// Contents: closed where they would fill the screen, and marked where the reader is.
{
  const contents = document.getElementById("contents");
  const narrow = matchMedia("(max-width: 899px)");
  const fit = () => (contents.open = !narrow.matches);
  narrow.addEventListener("change", fit);
  fit();
  const links = new Map();
  for (const link of contents.querySelectorAll("a")) {
    links.set(link.hash.slice(1), link);
    link.addEventListener("click", () => (contents.open = !narrow.matches));
  }
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(entry.target.id).setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "0px 0px -75% 0px" },
  );
  for (const section of document.querySelectorAll("main > section")) seen.observe(section);
}

// Switches: one panel at a time.
document.querySelectorAll(".switch").forEach((box, i) => {
  const radios = [...box.querySelectorAll(":scope > fieldset input")];
  const panels = [...box.querySelectorAll(":scope > .panel")];
  const show = () => panels.forEach((panel, k) => (panel.hidden = !radios[k].checked));
  for (const radio of radios) {
    radio.name = `switch-${i}`;
    radio.addEventListener("change", show);
  }
  radios[0].checked = true;
  show();
});

// Tables: a heading sorts its column, once more turns it round; what is missing stays last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      sort(table.tBodies[0], column, sign, head.classList.contains("number"));
    });
  });
}

function sort(body, column, sign, numeric) {
  const order = new Intl.Collator("en", { numeric: true });
  const keyed = [...body.rows].map((row) => [row.cells[column].dataset.value, row]);
  keyed.sort(([a], [b]) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    return sign * (numeric ? a - b : order.compare(a, b));
  });
  body.append(...keyed.map(([, row]) => row));
}

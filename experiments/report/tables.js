
// Tables: a heading sorts its column, a second click reverses it; missing values stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
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

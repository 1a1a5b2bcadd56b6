for (const table of document.querySelectorAll("table.sortable")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const column = head.cellIndex, up = head.getAttribute("aria-sort") !== "ascending";
      const number = text => text === "" ? NaN : Number(text.replace("inf", "Infinity"));
      const compare = (a, b) => {
        const x = a.cells[column].textContent.trim(), y = b.cells[column].textContent.trim();
        const m = number(x), n = number(y);
        if (Number.isNaN(m) && Number.isNaN(n)) return x.localeCompare(y, undefined, {numeric: true});
        return Number.isNaN(m) ? 1 : Number.isNaN(n) ? -1 : m - n;
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => up ? compare(a, b) : compare(b, a));
      table.tBodies[0].append(...rows);
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  }
}

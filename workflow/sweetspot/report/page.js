"use strict";
(() => {
  // What is folded is printed, too, and a link may lead into it.
  const open = (inside) => {
    for (let at = inside; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
  };
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) { open(target); target.scrollIntoView(); }
  };
  addEventListener("hashchange", follow);
  follow();

  // A shadow lies where a table or a figure goes on beyond the edge.
  const showEdges = (part) => {
    part.classList.toggle("less", part.scrollLeft > 1);
    part.classList.toggle("more", part.scrollLeft + part.clientWidth < part.scrollWidth - 1);
  };
  const sizes = new ResizeObserver((changed) => changed.forEach(({ target }) => {
    showEdges(target.closest(".scroll"));
  }));
  document.querySelectorAll(".scroll").forEach((each) => {
    each.addEventListener("scroll", () => showEdges(each), { passive: true });
    [each, ...each.children].forEach((one) => sizes.observe(one));
  });

  const part = document.getElementById("cells-table");
  if (!part || !("DecompressionStream" in window)) return;
  const STEP = 200;
  const [head, body] = [part.querySelector("thead"), part.querySelector("tbody")];
  const [status, search] = [part.querySelector("[role=status]"), part.querySelector("input")];
  const more = part.querySelector(".more");
  const columns = [...head.querySelectorAll("th")].map((th) => (
    { key: th.dataset.key, title: th.textContent, th, isText: th.classList.contains("text") }
  ));
  let text = null;
  let rows = null; // of all cells, as texts by column
  let sorted = null; // the rows that are shown, in order
  let shown = STEP;
  let by = null;
  let isUp = true;

  const unpack = async () => {
    const packed = part.querySelector(".packed").textContent;
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  // Fields may be quoted, and then hold commas, quotes and line ends.
  const parse = (csv) => {
    const found = [[]];
    const field = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/gy;
    while (field.lastIndex < csv.length) {
      const [, quoted, plain, end] = field.exec(csv);
      found.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
      if (end === "") break;
      if (end !== ",") found.push([]);
    }
    return found.filter((row) => row.length > 1);
  };

  const rounded = (value) => (
    Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)))
  );

  const load = async () => {
    if (rows) return;
    text = await unpack();
    const [header, ...cells] = parse(text);
    const places = columns.map((column) => header.indexOf(column.key));
    rows = cells.map((cell) => places.map((place) => cell[place] ?? ""));
    sorted = rows;
  };

  const show = () => {
    body.replaceChildren(...sorted.slice(0, shown).map((row) => {
      const tr = document.createElement("tr");
      row.forEach((value, at) => {
        const td = document.createElement("td");
        if (columns[at].isText) td.className = value.length > 32 ? "text long" : "text";
        td.textContent = columns[at].isText || value === "" ? value : rounded(Number(value));
        tr.append(td);
      });
      return tr;
    }));
    const count = Math.min(shown, sorted.length);
    const all = sorted.length === rows.length ? "cells" : `cells with “${search.value}”`;
    const order = by === null ? "" : `, sorted by ${columns[by].title}, ${
      isUp ? "least" : "most"} first`;
    status.textContent = `${sorted.length} ${all}${
      count < sorted.length ? `, of which ${count} are shown` : ""}${order}`;
    more.hidden = count === sorted.length;
  };

  const compare = (a, b) => {
    const [x, y] = [a[by], b[by]];
    if (x === "" || y === "") return (x === "") - (y === ""); // what is not known stays below
    const order = columns[by].isText
      ? x.localeCompare(y, "en", { numeric: true }) : Number(x) - Number(y);
    return isUp ? order : -order;
  };

  const arrange = () => {
    const wanted = search.value.toLowerCase();
    sorted = rows.filter((row) => row.join(" ").toLowerCase().includes(wanted));
    if (by !== null) sorted.sort(compare);
    show();
  };

  columns.forEach((column, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = column.title;
    button.addEventListener("click", async () => {
      await load();
      isUp = by === at ? !isUp : true;
      by = at;
      columns.forEach((each) => each.th.removeAttribute("aria-sort"));
      column.th.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      shown = STEP;
      arrange();
    });
    column.th.replaceChildren(button);
  });
  search.addEventListener("input", async () => { await load(); shown = STEP; arrange(); });
  more.addEventListener("click", async () => { await load(); shown += STEP; show(); });
  more.hidden = body.rows.length < STEP;
  const download = part.querySelector(".download");
  download.addEventListener("click", async () => {
    await load();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = download.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  part.querySelector(".tools").hidden = false;
})();


// Genealogy: drawn from its data as it is opened; all text enters by textContent.
{
  const PAGE = 60;
  // A prompt of more characters than LONG is cut to the first HEAD of them until it is opened.
  const LONG = 600;
  const HEAD = 240;
  const short = (text) => (text.length > LONG ? `${text.slice(0, HEAD)} …` : text);

  for (const box of document.querySelectorAll(".tree")) {
    const start = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      start.disconnect();
      plant(box);
    }, { rootMargin: "400px" });
    start.observe(box);
  }

  function make(tag, name, ...children) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
    return element;
  }

  const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  function number(value) {
    if (value === null || value === undefined) return "–";
    return Number.isInteger(value) ? String(value) : value.toPrecision(3);
  }

  // Link nodes to their children, with size and depth; a parent may come after a child.
  function grow(rows) {
    const nodes = rows.map(([text, parent, operator, draws]) => {
      return { text: String(text), parent, operator, draws, children: [], size: 1, depth: 0 };
    });
    const roots = [];
    for (const node of nodes) {
      node.parent = nodes[node.parent] ?? null;
      (node.parent ? node.parent.children : roots).push(node);
      node.signal = Math.max(...node.draws.map((draw) => draw[1] ?? -Infinity));
      node.round = node.draws.length ? node.draws[0][0] : Infinity;
    }
    const order = [...roots];
    for (let i = 0; i < order.length; i++) {
      order[i].level = order[i].parent ? order[i].parent.level + 1 : 0;
      order.push(...order[i].children);
    }
    for (const node of order.reverse()) {
      if (!node.parent) continue;
      node.parent.size += node.size;
      node.parent.depth = Math.max(node.parent.depth, node.depth + 1);
    }
    return { nodes, roots };
  }

  const ORDERS = {
    "deepest first": (a, b) => b.depth - a.depth || b.size - a.size,
    "largest first": (a, b) => b.size - a.size || b.depth - a.depth,
    "oldest first": (a, b) => a.round - b.round,
    "strongest signal first": (a, b) => (a.signal < b.signal ? 1 : a.signal > b.signal ? -1 : 0),
  };

  function plant(box) {
    const { nodes, roots } = grow(JSON.parse(box.querySelector("script").textContent));
    const scale = span(nodes);
    const filter = make("input");
    filter.type = "search";
    filter.placeholder = "words or operator";
    const order = make("select");
    for (const name of Object.keys(ORDERS)) order.append(make("option", "", name));
    const status = make("p", "small");
    status.setAttribute("role", "status");
    const list = make("ul", "nodes");
    const update = () => {
      const wanted = filter.value.trim().toLowerCase();
      const kept = wanted ? nodes.filter((node) => matches(node, wanted)) : [...roots];
      kept.sort(ORDERS[order.value]);
      status.textContent = wanted
        ? `${kept.length} of ${nodes.length} prompts match`
        : `${roots.length} ${roots.length === 1 ? "family" : "families"}`;
      list.replaceChildren();
      extend(list, kept, scale, Boolean(wanted));
    };
    filter.addEventListener("input", update);
    order.addEventListener("change", update);
    const controls = make("div", "controls", make("label", "", "Filter ", filter));
    controls.append(make("label", "", "Order ", order));
    box.append(controls, status, list);
    list.addEventListener("keydown", steer);
    update();
  }

  const matches = (node, wanted) =>
    node.text.toLowerCase().includes(wanted) || (node.operator ?? "").toLowerCase().includes(wanted);

  // The range of all rewards: the strips of all nodes have one scale.
  function span(nodes) {
    let [low, high] = [Infinity, -Infinity];
    for (const { draws } of nodes)
      for (const [, , , best, worst] of draws) {
        if (typeof worst === "number") low = Math.min(low, worst);
        if (typeof best === "number") high = Math.max(high, best);
      }
    return [low, Math.max(high - low, 1e-9)];
  }

  // Append nodes to a list, a page at a time.
  function extend(list, nodes, scale, alone) {
    list.append(...nodes.slice(0, PAGE).map((node) => item(node, scale, alone)));
    const rest = nodes.slice(PAGE);
    if (!rest.length) return;
    const more = make("button", "more", `Show ${Math.min(PAGE, rest.length)} more of ${rest.length}`);
    more.type = "button";
    const last = make("li", "", more);
    more.addEventListener("click", () => {
      last.remove();
      const before = list.children.length;
      extend(list, rest, scale, alone);
      list.children[before].querySelector("summary, button").focus();
    });
    list.append(last);
  }

  function item(node, scale, alone) {
    const head = make("summary", "", make("span", "text", short(node.text)));
    const last = node.draws.at(-1);
    const below = node.size - 1;
    head.append(
      make(
        "span",
        "meta",
        make("span", node.operator ? "operator" : "operator seed", node.operator ?? "seed"),
        node.level ? `generation ${node.level} · ` : "",
        last ? `round ${rounds(node)}` : "never drawn",
        last ? ` · signal ${number(last[1])} · mean reward ${number(last[2])}` : "",
        below ? ` · ${count(below, "descendant")} in ${count(node.depth, "generation")}` : "",
      ),
    );
    const details = make("details", "", head);
    details.addEventListener("toggle", () => fill(details, node, scale, alone), { once: true });
    return make("li", "", details);
  }

  function rounds(node) {
    const all = [...new Set(node.draws.map((draw) => draw[0]))];
    return all.length > 4 ? `${all[0]}, … ${all.at(-1)} (${all.length} rounds)` : all.join(", ");
  }

  // Fill an opened node with its line of descent, its draws and its children.
  function fill(details, node, scale, alone) {
    const body = make("div", "body");
    if (alone && node.parent) {
      const line = make("ol", "descent");
      for (let up = node.parent; up; up = up.parent) line.prepend(make("li", "", short(up.text)));
      body.append(make("p", "label", "Descends from"), line);
    }
    if (node.text.length > LONG) body.append(make("p", "text whole", node.text));
    for (const draw of node.draws.slice(-3).reverse()) body.append(drawn(draw, scale));
    if (node.draws.length > 3) body.append(make("p", "small", `and ${count(node.draws.length - 3, "draw")} before`));
    if (node.children.length) {
      // Deep nodes are not indented further, because text needs room.
      const list = make("ul", `nodes ${node.level < 4 ? "" : node.level < 10 ? "far" : "far deep"}`);
      extend(list, node.children, scale, false);
      body.append(list);
    }
    details.append(body);
  }

  function drawn([round, signal, mean, best, worst, rewards, good, bad], [low, range]) {
    const box = make("div", "draw");
    const all = rewards ?? [worst, mean, best].filter((value) => typeof value === "number");
    const strip = make("span", "strip");
    strip.setAttribute("aria-hidden", "true");
    for (const reward of all) {
      const dot = make("i");
      dot.style.left = `${(100 * (reward - low)) / range}%`;
      strip.append(dot);
    }
    const label = rewards ? "rewards " : "worst, mean and best reward ";
    const sorted = [...all].sort((a, b) => a - b).map(number).join("  ");
    box.append(make("p", "label", `Round ${round}: signal ${number(signal)}`), strip);
    box.append(make("p", "small", label, sorted));
    for (const [name, response, reward] of [["Best response", good, best], ["Worst response", bad, worst]]) {
      if (response === undefined || response === null) continue;
      box.append(make("p", "response", make("b", "", name), ` (${number(reward)}) `, make("q", "", response)));
    }
    return box;
  }

  // Arrow keys walk the tree: up and down, right opens, left closes or goes to the parent.
  function steer(event) {
    if (event.target.tagName !== "SUMMARY" || event.altKey || event.ctrlKey || event.metaKey) return;
    const list = event.currentTarget;
    const all = [...list.querySelectorAll("summary")].filter((summary) => summary.offsetParent);
    const here = all.indexOf(event.target);
    const details = event.target.parentElement;
    const up = details.parentElement.parentElement.closest("details");
    const steps = {
      ArrowDown: () => all[here + 1]?.focus(),
      ArrowUp: () => all[here - 1]?.focus(),
      Home: () => all[0].focus(),
      End: () => all.at(-1).focus(),
      ArrowRight: () => (details.open ? all[here + 1]?.focus() : (details.open = true)),
      ArrowLeft: () => (details.open ? (details.open = false) : up?.querySelector("summary").focus()),
    };
    if (!steps[event.key]) return;
    steps[event.key]();
    event.preventDefault();
  }
}

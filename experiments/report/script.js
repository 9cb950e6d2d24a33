
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

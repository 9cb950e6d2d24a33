"use strict";

// Theme: follows the system until the button is pressed; forgotten with the page.
{
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const mark = () => button.setAttribute("aria-pressed", dark());
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    mark();
  });
  system.addEventListener("change", mark);
  mark();
}

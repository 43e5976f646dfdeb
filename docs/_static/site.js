// What Furo leaves out for people with a keyboard or a screen reader.
for (const caption of document.querySelectorAll(".sidebar-tree .caption")) caption.setAttribute("aria-level", "2");
for (const [drawer, name] of [[".sidebar-drawer", "All pages"], [".toc-drawer", "This page"]]) {
  document.querySelector(drawer)?.setAttribute("aria-label", name);
}
// Whatever is wider than its place can be reached, and so scrolled, with the keyboard.
const wide = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const box of document.querySelectorAll(".content pre, .content .table-wrapper")) wide.observe(box);

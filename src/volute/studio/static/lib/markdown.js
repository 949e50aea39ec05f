/** The Markdown of model cards, as elements: headings, paragraphs, lists, tables, code, links. */

import { h } from "./dom.js";

/** Turn a card into elements; its front matter and pictures are left out. */
export function markdown(text) {
  const lines = text.replace(/^---\n[\s\S]*?\n---\n/, "").split("\n");
  const made = h("div.markdown", {});
  let at = 0;
  const take = (test) => {
    const start = at;
    while (at < lines.length && test(lines[at])) at += 1;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,6}) (.*)/.exec(line);
    if (!line.trim() || line.startsWith("![")) at += 1;
    else if (heading) {
      made.append(h(heading[1].length < 2 ? "h3" : "h4", {}, inline(heading[2])));
      at += 1;
    } else if (line.startsWith("```")) {
      at += 1;
      made.append(
        h(
          "pre",
          { tabindex: "0" },
          h("code", {}, take((one) => !one.startsWith("```")).join("\n")),
        ),
      );
      at += 1;
    } else if (line.startsWith("|")) made.append(table(take((one) => one.startsWith("|"))));
    else if (/^[*-] /.test(line))
      made.append(
        h(
          "ul",
          {},
          take((one) => /^([*-] | {2})/.test(one)).map((one) =>
            h("li", {}, inline(one.replace(/^[*-] /, ""))),
          ),
        ),
      );
    else
      made.append(
        h(
          "p",
          {},
          inline(
            take((one) => one.trim() && !/^(#|\||```|[*-] )/.test(one)).join(" ") || lines[at++],
          ),
        ),
      );
  }
  return made;
}

function table(lines) {
  const rows = lines
    .filter((line) => !/^\|[\s|:-]*-[\s|:-]*$/.test(line))
    .map((line) =>
      line
        .replace(/^\||\|$/g, "")
        .split("|")
        .map((cell) => cell.trim()),
    );
  const body = rows.filter((row) => row.some(Boolean));
  return h(
    "table",
    {},
    h(
      "tbody",
      {},
      body.map(([first, ...rest]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, inline(first)),
          rest.map((cell) => h("td", {}, inline(cell))),
        ),
      ),
    ),
  );
}

/** Code, strong and links within a line. */
function inline(text) {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith("`")) return h("code", {}, part.slice(1, -1));
      if (part.startsWith("**")) return h("strong", {}, part.slice(2, -2));
      const link = /^\[([^\]]+)\]\((https:[^)]+)\)$/.exec(part);
      if (link) return h("a", { href: link[2], rel: "noreferrer", target: "_blank" }, link[1]);
      return part.replace(/^\[([^\]]+)\]\([^)]+\)$/, "$1");
    });
}

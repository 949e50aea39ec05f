/** What was made lately by one kind of work: pictures to download, make again or delete. */

import { get, post, remove } from "../lib/api.js";
import { button, careful, download, h, icon, say, tell } from "../lib/dom.js";
import { jobs } from "../lib/jobs.js";
import { moment } from "../lib/words.js";

const SHOWN = 12;

/** Make a result again, as its record says; return what comes of it: a `Result`, or a `Job` that is done. */
export async function makeAgain(result) {
  const { route, request } = await get(`/results/${result.id}/again`);
  const made = await post(route, request);
  return made.state ? jobs.end(made.id) : made;
}

/**
 * `<volute-recent deed="stylize">`.
 */
export class Recent extends HTMLElement {
  #held = [];

  connectedCallback() {
    if (this.list) return;
    this.deed = this.getAttribute("deed");
    this.list = h("ul.recent", {});
    this.trouble = h("div", {});
    this.more = button("Show more", "", () => this.load(this.next));
    this.hidden = true;
    this.append(h("h2", {}, "Made lately"), this.trouble, this.list, this.more);
    jobs.addEventListener("result", ({ detail }) => {
      if (this.#mine(detail)) this.#add(detail, true);
    });
    this.load();
  }

  async load(before = "") {
    try {
      const { results, next } = await get(
        `/results?deed=${this.deed}&limit=${SHOWN}&before=${before}`,
      );
      for (const one of results) if (this.#mine(one)) this.#add(one, false);
      this.next = next;
      this.more.hidden = !next;
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  #mine(result) {
    return result.deed === this.deed && result.role !== "map";
  }

  #add(result, first) {
    if (this.#held.includes(result.id)) return;
    this.#held.push(result.id);
    const card = this.#card(result);
    if (first) this.list.prepend(card);
    else this.list.append(card);
    this.hidden = false;
  }

  #card(result) {
    const small =
      result.preview &&
      h("img", { src: `${result.preview}?side=320`, alt: "", loading: "lazy", decoding: "async" });
    const card = h(
      "li",
      {},
      small || h("span.page", {}, icon("write")),
      h(
        "div",
        {},
        h("strong", { title: result.name }, result.name),
        h("small", {}, `${result.model} · ${moment(result.created)}`),
      ),
      h(
        "div.tight",
        {},
        download(`Download ${result.name}`, `${result.file}?download=true`, {
          quiet: true,
          name: result.name,
        }),
        button(`Make ${result.name} again`, "again", () => this.#again(result), { quiet: true }),
        careful(
          `Delete ${result.name}`,
          `Delete ${result.name} for good?`,
          () => this.#drop(result, card),
          { quiet: true },
        ),
      ),
    );
    return card;
  }

  async #again(result) {
    try {
      say(`Making ${result.name} again`);
      await makeAgain(result);
      say("Made again");
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  async #drop(result, card) {
    try {
      await remove(`/results/${result.id}`);
      const next = card.nextElementSibling ?? card.previousElementSibling;
      card.remove();
      next?.querySelector("button:last-child")?.focus();
      say(`${result.name} is deleted`);
      this.hidden = !this.list.children.length;
    } catch (error) {
      tell(this.trouble, error);
    }
  }
}

customElements.define("volute-recent", Recent);

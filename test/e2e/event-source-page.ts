/** Stands for a page: watches by the host's own `EventSource` and prints what it is told. Run with `--experimental-eventsource`. */

const [url = ""] = process.argv.slice(2);
const source = new EventSource(url);
source.addEventListener("open", () => console.log("open"));
for (const kind of ["set", "rotate", "end"]) {
  source.addEventListener(kind, (event) => {
    const { data } = event as unknown as { readonly data: string };
    console.log(kind, (JSON.parse(data) as { text?: string }).text ?? "");
  });
}
// Between two streams nothing else would keep the process.
setInterval(() => {}, 1_000);

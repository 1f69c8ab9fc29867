/** The page's look: one column on a phone, a list of contents beside it on a desk, light or dark as the reader has it. */
export const style = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--mute:#59636e;--line:#d9dee4;--soft:#f5f7f9;--link:#0a5fc2;
--get:#0a6e3b;--put:#8a5a00;--post:#0a5fc2;--delete:#b3261e;--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{--bg:#12161b;--fg:#e4e8ec;--mute:#9aa5b1;--line:#2d343c;--soft:#1a2027;--link:#6cb0ff;
--get:#5bd08d;--put:#e2b04a;--post:#6cb0ff;--delete:#ff8a80}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;display:grid;grid-template-columns:17rem minmax(0,1fr)}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
nav{position:sticky;top:0;height:100vh;overflow-y:auto;border-right:1px solid var(--line);padding:1.25rem 1rem;font-size:.875rem}
nav summary{font-weight:700;font-size:1.05rem;list-style:none}nav summary::-webkit-details-marker{display:none}
nav h2{font-size:.75rem;text-transform:uppercase;letter-spacing:.06em;color:var(--mute);margin:1.1rem 0 .3rem}
nav ul{list-style:none;margin:0;padding:0}nav li a{display:flex;gap:.5rem;align-items:baseline;padding:.15rem 0;color:inherit}
nav li span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
main{padding:2rem clamp(1rem,4vw,3.5rem) 6rem;max-width:62rem}
h1{font-size:2rem;margin:0 0 .25rem}h2{font-size:1.4rem;margin:3rem 0 .5rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}
h3{font-size:1.05rem;margin:2.25rem 0 .4rem;display:flex;flex-wrap:wrap;gap:.6rem;align-items:baseline;font-family:var(--mono);font-weight:600;overflow-wrap:anywhere}
h4{font-size:.8rem;text-transform:uppercase;letter-spacing:.05em;color:var(--mute);margin:1.1rem 0 .35rem}
p{margin:.4rem 0;max-width:46rem}.mute{color:var(--mute)}
.m{font:700 .7rem/1.5 var(--mono);text-transform:uppercase;min-width:3.6rem;flex:none}
h3 .m{min-width:0;font-size:.8rem}.get{color:var(--get)}.put{color:var(--put)}.post{color:var(--post)}.delete{color:var(--delete)}
code{font:.875em var(--mono);background:var(--soft);border-radius:4px;padding:.08em .3em;overflow-wrap:anywhere}
figure{margin:.6rem 0;border:1px solid var(--line);border-radius:8px;overflow:hidden;background:var(--soft)}
figcaption{display:flex;justify-content:space-between;align-items:center;padding:.3rem .4rem .3rem .8rem;font-size:.78rem;color:var(--mute);border-bottom:1px solid var(--line)}
pre{margin:0;padding:.7rem .8rem;overflow-x:auto;font:13px/1.5 var(--mono)}pre code{font:inherit;background:none;padding:0;overflow-wrap:normal}
button.copy{font:inherit;color:var(--link);background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.15rem .6rem;cursor:pointer}
table{border-collapse:collapse;width:100%;font-size:.9rem}th{text-align:left;color:var(--mute);font-weight:600;font-size:.8rem}
th,td{padding:.4rem .6rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:break-word}
td:first-child{white-space:nowrap}tr:target td{background:var(--soft)}
details.more{margin:.6rem 0}details.more>summary{cursor:pointer;color:var(--mute);font-size:.9rem}
@media (max-width:52rem){body{display:block}nav{position:static;height:auto;border-right:0;border-bottom:1px solid var(--line);padding:.8rem 1rem}
nav summary{cursor:pointer}nav summary::after{content:" \\2193";color:var(--mute)}nav details[open] summary::after{content:" \\2191"}
main{padding-top:1.25rem}h1{font-size:1.6rem}
table,tbody,tr,td{display:block}thead{display:none}td{border:0;padding:.1rem 0}td:first-child{white-space:normal;font-weight:600}td:not(:first-child):not(:last-child){display:inline;color:var(--mute);margin-right:.6rem}tr{border-bottom:1px solid var(--line);padding:.5rem 0;display:block}}
@media (min-width:52.01rem){nav summary{pointer-events:none}}
`;

/**
 * Copying, and the list of contents: open beside the text, closed above it. Without scripts all of the page can still be read.
 */
export const script = `
document.addEventListener("click",async(event)=>{
  const button=event.target.closest("button.copy");if(!button)return;
  const text=button.closest("figure").querySelector("pre").innerText;
  try{await navigator.clipboard.writeText(text);button.textContent="Copied"}
  catch{const range=document.createRange();range.selectNodeContents(button.closest("figure").querySelector("pre"));
    const chosen=getSelection();chosen.removeAllRanges();chosen.addRange(range);button.textContent="Selected"}
  button.addEventListener("pointerleave",()=>{button.textContent="Copy"},{once:true})});
const contents=document.querySelector("nav details"),wide=matchMedia("(min-width:52.01rem)");
const fit=()=>{contents.open=wide.matches};fit();wide.addEventListener("change",fit);
contents.addEventListener("click",(event)=>{if(event.target.closest("a")&&!wide.matches)contents.open=false});
`;

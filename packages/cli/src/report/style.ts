import { COLOUR, DARK } from './theme.ts';

const variables = (colours: { readonly [name in keyof typeof COLOUR]: string }) =>
  Object.entries(colours)
    .map(([name, value]) => `--${name}:${value};`)
    .join('');

/** Plots carry the light colours as attributes; the page gives them those of its own mode. */
const plots = Object.entries(COLOUR)
  .map(
    ([name, value]) =>
      `svg [fill="${value}"]{fill:var(--${name})}svg [stroke="${value}"]{stroke:var(--${name})}`,
  )
  .join('\n');

const DARK_MODE = `${variables(DARK)}--page:#12171d;--card:#1a2129;--tint:#202a34;--warn:#33290f;--warn-edge:#d9a63a;--more:#000b;`;

/** Style of the page (what goes on at the side of a scrolling region has a shadow there): one column, readable on paper and in the dark; no fonts or pictures from elsewhere. */
export const STYLE = `
:root{color-scheme:light dark;${variables(COLOUR)}--page:#f6f7f9;--card:#fff;--tint:#eef2f6;--warn:#fff6df;--warn-edge:#b97f10;--more:#0005;
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){:root{${DARK_MODE}}}
.dark{display:none}
@media screen and (prefers-color-scheme:dark){.dark{display:inline}.light{display:none}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font-variant-numeric:tabular-nums}
.wide{max-width:64rem;margin:0 auto;padding:0 1.25rem}
a{color:var(--ours)}
a:focus-visible,[tabindex]:focus-visible,summary:focus-visible{outline:3px solid var(--ours);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.4rem .8rem;z-index:2}
header{padding:2.2rem 0 1.1rem}
.kind{color:var(--muted);font-size:.88rem;margin:0 0 .2rem}
h1{font-size:1.9rem;line-height:1.2;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.3rem;line-height:1.3;margin:0 0 .7rem;letter-spacing:-.005em}
h3{font-size:1.02rem;margin:1.6rem 0 .5rem}
p{margin:.5rem 0;max-width:46rem}
nav ol{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:0;padding:.7rem 0;border-top:1px solid var(--rule);border-bottom:1px solid var(--rule);font-size:.9rem}
nav a{text-decoration:none}nav a:hover{text-decoration:underline}
section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:1.4rem 1.6rem;margin:1.2rem 0}
.lead{font-size:1.2rem;line-height:1.5;max-width:48rem;margin-top:0}
.muted,figcaption,caption{color:var(--muted);font-size:.9rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(14rem,1fr));gap:.9rem;margin:1.2rem 0 .4rem;padding:0;list-style:none}
.cards li{background:var(--tint);border-radius:8px;padding:.8rem 1rem}
.cards b{display:block;font-size:1.75rem;line-height:1.15;font-weight:600}
.cards span{display:block;color:var(--muted);font-size:.88rem}
.notes{background:var(--warn);border-color:var(--warn-edge)}
.notes ul{margin:.3rem 0;padding-left:1.2rem}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(27rem,100%),1fr));gap:1.2rem 1.6rem;align-items:start}
figure{margin:.6rem 0;min-width:0;break-inside:avoid}
figcaption{margin-top:.35rem;max-width:46rem}
svg{display:block;max-width:100%;height:auto}
${plots}
.scroll{overflow-x:auto;max-width:100%;background:linear-gradient(to right,var(--card) 40%,transparent) 0 0/2.2rem 100% local,linear-gradient(to left,var(--card) 40%,transparent) 100% 0/2.2rem 100% local,linear-gradient(to right,var(--more),transparent) 0 0/.7rem 100% scroll,linear-gradient(to left,var(--more),transparent) 100% 0/.7rem 100% scroll;background-repeat:no-repeat}
.scroll svg{max-width:none}
table{border-collapse:collapse;font-size:.92rem;margin:.6rem 0}
caption{text-align:left;padding-bottom:.4rem}
th,td{text-align:left;padding:.32rem .9rem .32rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
thead th{color:var(--muted);font-weight:600;font-size:.84rem;vertical-align:bottom;line-height:1.25}thead th.n{white-space:normal}
tbody th{font-weight:400}
tbody th.name{white-space:nowrap}
td.n,th.n{text-align:right;white-space:nowrap}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.3rem 1.2rem;margin:.6rem 0;font-size:.94rem}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
code,pre{font:0.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{white-space:pre-wrap;margin:0}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(18.5rem,100%),1fr));gap:1.1rem 1.4rem;margin:.8rem 0;padding:0;list-style:none}
.pairs.two{grid-template-columns:repeat(auto-fill,minmax(min(12.5rem,100%),1fr))}
.pairs li{break-inside:avoid}
.pictures{display:flex;gap:.35rem}
.pictures div{flex:1 1 0;min-width:0;max-width:10rem}
.pictures img{width:100%;height:auto;display:block;border:1px solid var(--rule);background:#808080}
.small img,.strip img{image-rendering:pixelated}
.pictures span{display:block;color:var(--muted);font-size:.76rem;line-height:1.3;margin-top:.15rem}
.label{margin:.3rem 0 0;font-size:.86rem;line-height:1.35;max-width:none;overflow-wrap:anywhere}
.strip img{display:block;height:auto;margin-bottom:.5rem;max-width:none}
.saw-yes{color:var(--mark);font-weight:600}.saw-unknown{font-weight:600}
summary{cursor:pointer;color:var(--ours);margin:.5rem 0}
.methods{background:var(--tint);border-radius:8px;padding:.6rem 1.1rem;user-select:all}
.references{padding-left:1.1rem;font-size:.92rem}
.references li{margin:.35rem 0;max-width:46rem}
footer{color:var(--muted);font-size:.86rem;padding:.6rem 0 2.4rem}
@media screen and (min-width:84rem){.roomy{max-width:98rem}.roomy .map{display:grid;grid-template:auto 1fr/minmax(0,57rem) minmax(22rem,1fr);gap:0 2.2rem}
.roomy .slices{grid-area:1/1/3/2}.roomy .words{grid-area:1/2/2/3}.roomy .numbers{grid-area:2/2/3/3}.roomy table{font-size:.86rem}}
@media (max-width:40rem){section{padding:1rem .9rem}h1{font-size:1.5rem}.wide{padding:0 .7rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}caption,.scroll figcaption{position:sticky;left:0;max-width:calc(100vw - 3.4rem)}}
@media print{
@page{margin:14mm}
:root{color-scheme:light;${variables(COLOUR)}--page:#fff;--card:#fff;--tint:#f3f5f7;--warn:#fff;font-size:12px}
nav,.skip{display:none}.wide{max-width:none;padding:0}
section{border:0;border-top:1px solid var(--rule);border-radius:0;padding:.9rem 0;margin:0}
h2,h3{break-after:avoid}.scroll{overflow:visible;background:none}.scroll svg{max-width:100%}.strip .scroll{zoom:.72}
a{color:inherit;text-decoration:none}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
`;

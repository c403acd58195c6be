"""How the pages look that fastraw makes: one frame, one sheet of style, light and dark, phone and
desktop."""

from __future__ import annotations

STYLE = """\
  :root { color-scheme: light dark; --ink: #1c2530; --soft: #5b6775; --paper: #f6f7f9;
          --card: #fff; --line: #dde2e8; --accent: #0b6e4f; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6eaef; --soft: #9aa6b4; --paper: #12161b; --card: #1a2027;
            --line: #2c353f; --accent: #5fd3a5; }
  }
  * { box-sizing: border-box; }
  body { margin: 0; min-height: 100vh; padding: 1.25rem; background: var(--paper);
         color: var(--ink); font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; }
  main { width: 100%; max-width: 40rem; padding: clamp(1.25rem, 5vw, 2.5rem);
         background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
  h1 { margin: 0 0 .75rem; font-size: clamp(1.5rem, 6vw, 2.125rem); line-height: 1.2; }
  h1::before { content: ""; display: inline-block; width: .6em; height: .6em;
               margin-right: .45em; border-radius: 50%; background: var(--accent); }
  small { color: var(--soft); }
"""

LISTING_STYLE = (
    STYLE
    + """\
  main { max-width: 56rem; margin: 0 auto; padding: clamp(1rem, 4vw, 2rem); }
  h1 { margin: 0 0 1rem; font-size: clamp(1.125rem, 4.5vw, 1.5rem); line-height: 1.4;
       overflow-wrap: anywhere; }
  a { color: inherit; text-decoration: none; }
  a:hover, a:focus-visible { color: var(--accent); text-decoration: underline; }
  h1 a { color: var(--accent); }
  table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th { padding: 0 .5rem; text-align: left; font-size: .875rem; font-weight: 600;
       white-space: nowrap; color: var(--soft); border-bottom: 1px solid var(--line); }
  th a { display: inline-block; padding: .5rem 0; }
  th[aria-sort] a { color: var(--ink); }
  th[aria-sort=ascending] a::after { content: " \\2191"; }
  th[aria-sort=descending] a::after { content: " \\2193"; }
  td { padding: .5rem; border-bottom: 1px solid var(--line); color: var(--soft);
       font-size: .875rem; line-height: 1.5rem; white-space: nowrap; vertical-align: top; }
  tr:last-child td { border-bottom: 0; }
  tbody tr:hover { background: var(--paper); }
  .name { width: 100%; padding-left: 0; white-space: normal; overflow-wrap: anywhere; }
  .size { text-align: right; }
  td.name { padding-top: 0; padding-bottom: 0; }
  td.name a { display: flex; gap: .625rem; padding: .5rem 0 .5rem .25rem; font-size: 1rem;
              color: var(--ink); }
  td.name a:hover, td.name a:focus-visible { color: var(--accent); }
  td.name a::before { content: ""; box-sizing: border-box; flex: none; width: .875rem;
                      height: 1.0625rem; margin: .22rem .125rem 0; border: 1.5px solid var(--soft);
                      border-radius: .125rem .375rem .125rem .125rem; }
  td.name a.folder::before { width: 1.125rem; height: .875rem; margin: .33rem 0 0;
                             background: var(--accent); border-color: var(--accent);
                             border-radius: .0625rem .25rem .1875rem .1875rem; }
  td.name a.up::before { content: "\\2191"; width: 1.125rem; height: auto; margin: 0; border: 0;
                         text-align: center; color: var(--accent); }
  .folder, .up { font-weight: 600; }
  .date { padding-right: .25rem; }
  p { margin: 1rem 0 0; color: var(--soft); }
  @media (max-width: 36rem) {
    body { padding: .5rem; }
    .hour { display: none; }
    .size, .date { padding-left: .375rem; padding-right: .375rem; }
    .name, .date { padding-right: 0; }
    th[aria-sort] a::after { margin-left: -.125em; }
  }
"""
)

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
{content}
</main>
</body>
</html>
"""


def page(title: str, style: str, content: str) -> str:
    """A whole page of HTML; so are title and content."""
    return _PAGE.format(title=title, style=style, content=content)

"""The lessons as HTML pages without a network: formulas as MathML, embedded figures, pages of linked source files."""

import html
import re

import nbformat
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="{up}style.css"></head>
<body><main>
{body}
</main></body></html>
"""

STYLE = """
:root { color-scheme: light dark; }
body { font: 17px/1.6 system-ui, sans-serif; margin: 0; color: #1b1b1b; background: #fff; }
main { max-width: 63rem; margin: 0 auto; padding: 1rem 1.2rem 4rem; }
p, ul, ol, details { max-width: 48rem; }
h1, h2, h3 { line-height: 1.25; margin-top: 2em; }
a { color: #0b5cad; }
pre { font: 14px/1.45 ui-monospace, monospace; padding: .7rem .9rem; overflow-x: auto; }
pre { border-radius: 6px; margin: .6rem 0; }
code { font: .88em ui-monospace, monospace; }
pre code { font: inherit; }
pre.code, pre.source, main pre:not(.output) { background: #f3f4f6; }
pre.output { border-left: 3px solid #c9ccd1; border-radius: 0; padding: .1rem .9rem; white-space: pre-wrap; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
math { font-family: math, "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre"; }
.equation { display: flex; align-items: center; max-width: 48rem; overflow: auto hidden; }
.equation { margin: .5em 0; padding: .5em 0; }
.equation math { flex: 1; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #c9ccd1; padding: .3rem .7rem; text-align: left; }
details { margin: .7rem 0; padding: .2rem .9rem; border: 1px solid #c9ccd1; border-radius: 6px; }
summary { cursor: pointer; }
.line:target { background: #ffe9a8; }
"""
DARK = "body { color: #e4e4e4; background: #16181c; } a { color: #7db7f0; }" + (
    "pre.code, pre.source, main pre:not(.output) { background: #22252b; } .line:target { background: #5a4a12; }"
)


def write(out, folder, root):
    """Write the pages to the folder `out`: index.html from the README in `folder`, one for each notebook there, and one
    for each file of the project (below `root`) that one of these links to."""
    site = _Site(out, folder, root)
    out.mkdir(parents=True, exist_ok=True)
    light, dark = (HtmlFormatter(style=s).get_style_defs(".highlight") for s in ("default", "github-dark"))
    dark = re.sub(r"^\.highlight \{.*$|^(pre|td|span).*$", "", dark, flags=re.MULTILINE)
    light = re.sub(r"^\.highlight \{.*$|^(pre|td|span).*$", "", light, flags=re.MULTILINE)
    (out / "style.css").write_text(f"{STYLE}{light}\n@media (prefers-color-scheme: dark) {{ {DARK}\n{dark} }}\n")
    readme = (folder / "README.md").read_text()
    site.page("index.html", "Lessons", site.markdown(readme, folder))
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        title = notebook.cells[0].source.split("\n", 1)[0].lstrip("# ")
        site.page(f"{path.stem}.html", title, "\n".join(map(site.cell, notebook.cells)))
    done = set()
    while site.linked - done:
        for path in site.linked - done:
            done.add(path)
            site.source(path)


class _Site:
    def __init__(self, out, folder, root):
        self.out, self.folder, self.root = out, folder, root
        self.linked = set()  # files of the project that a page links to
        self.parser = MarkdownIt("commonmark", {"highlight": _coloured}).enable("table")
        self.parser.use(dollarmath_plugin, renderer=_formula, allow_digits=False, double_inline=True)
        self.parser.use(anchors_plugin, max_level=3)

    def page(self, name, title, body):
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * name.count("/")
        top = "" if name == "index.html" else f'<p><a href="{up}index.html">All lessons</a></p>\n'
        path.write_text(PAGE.format(title=html.escape(title), up=up, body=top + body))

    def markdown(self, text, base):
        """The HTML of Markdown text. base: the folder that its links are relative to."""
        rendered = self.parser.render(text)
        rendered = re.sub(r'<a href="([^"]+)">(.*?)</a>', lambda m: self.link(m[1], m[2], base), rendered, flags=re.S)
        return re.sub(r'<img src="([^"]+)"', lambda m: f'<img src="{self.image(m[1], base)}"', rendered)

    def link(self, target, text, base):
        """The link to a page of this site, or only its text where the target is not in the project."""
        if re.match(r"https?:|#", target):
            return f'<a href="{target}">{text}</a>'
        file, _, place = target.partition("#")
        path = (base / file).resolve()
        if not path.is_file() or not path.is_relative_to(self.root):
            return text
        if path == self.folder / "README.md":
            page = "index.html"
        elif path.suffix == ".ipynb":
            page = f"{path.stem}.html"
        else:
            self.linked.add(path)
            page = f"source/{path.relative_to(self.root).as_posix()}.html"
        return f'<a href="{page}{"#" + place if place else ""}">{text}</a>'

    def image(self, target, base):
        path = (base / target).resolve()
        if not path.is_relative_to(self.root):
            raise ValueError(f"the image {target} is outside of the project: copy it into {self.folder}")
        copy = self.out / path.name
        copy.write_bytes(path.read_bytes())
        return copy.name

    def cell(self, cell):
        if cell.cell_type == "markdown":
            return self.markdown(cell.source, self.folder)
        return f'<pre class="code">{_coloured(cell.source)}</pre>\n' + "\n".join(map(self.output, cell.outputs))

    def output(self, output):
        if output.output_type == "stream":
            return f'<pre class="output">{html.escape(output.text)}</pre>'
        data = output.data
        if "image/png" in data:
            facts = output.metadata["image/png"]
            alt, png = html.escape(facts["alt"], quote=True), data["image/png"].replace("\n", "")
            return f'<p><img src="data:image/png;base64,{png}" width="{facts["width"]}" alt="{alt}"></p>'
        if "text/markdown" in data:
            return self.markdown(data["text/markdown"], self.folder)
        if "text/html" in data:
            return data["text/html"]
        return f'<pre class="output">{html.escape(data["text/plain"])}</pre>'

    def source(self, path):
        name = path.relative_to(self.root).as_posix()
        if path.suffix == ".md":  # following its links would copy the whole project
            body = re.sub(
                r"<a href=\"(?!https?:)[^>]*>(.*?)</a>", r"\1", self.parser.render(path.read_text()), flags=re.S
            )
        elif path.suffix == ".py":
            lines = _coloured(path.read_text()).splitlines()
            numbered = "\n".join(f'<span class="line" id="L{i}">{line}</span>' for i, line in enumerate(lines, 1))
            body = f'<h1>{name}</h1>\n<pre class="source highlight">{numbered}</pre>'
        else:
            body = f'<h1>{name}</h1>\n<pre class="source">{html.escape(path.read_text())}</pre>'
        self.page(f"source/{name}.html", name, body)


def _coloured(code, language="python", attributes=None):
    if language not in ("python", ""):
        return html.escape(code)
    return f'<span class="highlight">{highlight(code, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))}</span>'


def _formula(latex, options):
    if not options["display_mode"]:
        return convert(latex)
    tag = re.search(r"\\tag\{(.*?)\}", latex)
    number = f"<span>({tag[1]})</span>" if tag else ""
    return (
        f'<div class="equation">{convert(latex.replace(tag[0], "") if tag else latex, display="block")}{number}</div>'
    )

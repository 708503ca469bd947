r"""A report as LaTeX: the derivation as an align block, or all of it as a document of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chainrule.explanation.printing.balance import Balance
from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.latex import (
    definition_in_latex,
    escape,
    length_of,
    number_in_latex,
    rows_in_latex,
    symbol_in_latex,
)
from chainrule.explanation.printing.report import Report
from chainrule.explanation.printing.text import label_of
from chainrule.explanation.tree import Branch

_BEGINNING = r"""\documentclass[a4paper,landscape]{article}
\usepackage[margin=18mm]{geometry}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\usepackage{amsmath,amssymb,graphicx}
\newsavebox{\whole}
\newcommand{\fitted}[1]{\sbox{\whole}{$\displaystyle #1$}%
\ifdim\wd\whole>0.75\linewidth\resizebox{0.75\linewidth}{!}{\usebox{\whole}}\else\usebox{\whole}\fi}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\setlength{\parskip}{1ex}
\begin{document}
"""
_TABLE = "\\begin{center}\\begin{tabular}{%srr}\n"
_LABEL_FITS = 60
_FITS = 60  # characters of a formula that are sure to
_VERDICTS = {True: "holds", False: "does not hold", None: "says nothing"}


def align_block(report: Report) -> str:
    """The derivation of a number, from it down to data and weights, in one align block."""
    if report.sections:
        return _aligned(each for section in report.sections for each in _equations(section.tree))
    explanation = report.explanation
    value = number_in_latex(number(explanation.value))
    return _aligned([f"{symbol_in_latex(explanation.symbol)} &= {value}"])


def _aligned(equations: Iterable[str]) -> str:
    return "\\begin{align*}\n" + " \\\\[1ex]\n".join(equations) + "\n\\end{align*}\n"


def document(report: Report) -> str:
    """A document that pdflatex compiles, with the tables of terms and the proofs."""
    explanation = report.explanation
    parts = [_BEGINNING]
    if explanation.trace.notice:
        parts.append(_paragraph(rf"\textbf{{{escape(explanation.trace.notice)}.}}"))
    value = number_in_latex(number(explanation.value))
    parts.append(f"\\section*{{${symbol_in_latex(explanation.symbol)} = {value}$}}\n")
    parts.append(
        _paragraph(f"{escape(explanation.what)}: \\texttt{{{escape(explanation.name)}}}")
        + _paragraph(escape(report.context))
    )
    for section in report.sections:
        parts.append(f"\\subsection*{{{escape(section.heading)}}}\n")
        parts.append(_aligned(_equations(section.tree, _FITS)))
        if section.change is not None:
            change = number_in_latex(number(section.change))
            parts.append(_paragraph(f"$\\Delta {symbol_in_latex(explanation.symbol)} = {change}$"))
        for _, branch in section.tree.walk():
            table = None if branch.is_repeated else report.balance_of(branch)
            if table is not None:
                parts.append(_table(table))
    for definition in report.definitions:
        if definition.expression is None:
            parts.append(_paragraph(f"where {escape(definition.text)}"))
        else:
            formula = definition_in_latex(definition.name, definition.expression)
            parts.append(_paragraph(f"where ${formula}$"))
    for caption in report.captions:
        told = f"{escape(caption.equation)}: {escape(caption.words)}"
        parts.append(_paragraph(f"\\textbf{{{caption.name}}} {told}"))
    if report.proofs:
        parts.append("\\subsection*{Proofs}\n")
    for about, proof in report.proofs:
        verdict = f"\\textbf{{{_VERDICTS[proof.holds]}}}"
        told = f"{escape(proof.kind)} {verdict}: {escape(proof.statement)}"
        parts.append(_paragraph(f"${symbol_in_latex(about.symbol)}$, {told}"))
    if report.source_line is not None:
        where, text = report.source_line
        parts.append(f"{{\\raggedright {escape(where)}: \\texttt{{{_breakable(text)}}}\\par}}\n")
    return "".join([*parts, "\\end{document}\n"])


def _equations(tree: Branch, longest: int | None = None) -> Iterator[str]:
    """Each number that is opened, from the top down, as rows of an align block.

    A row of more than `longest` characters, about, is set as small as it takes to fit the page.
    """
    for _, branch in tree.walk():
        if branch.is_repeated:
            continue
        left = symbol_in_latex(branch.explanation.symbol)
        lines: list[str] = []
        for row in rows_in_latex(branch.explanation):
            for k, line in enumerate(row):
                sign = "=" if k == 0 else r"\quad"
                is_long = longest is not None and length_of(line) > longest
                body = f"\\fitted{{{line}}}" if is_long else line
                lines.append(f"{'' if lines else left} &{sign} {body}")
        yield " \\\\\n".join(lines)


def _table(table: Balance) -> str:
    """The terms of a sum, down to the stored number."""
    column = table.column
    unit = f" $\\cdot 10^{{{column.power}}}$" if column.power else ""
    first = "example" if table.examples_differ else "term"
    rows = [
        [
            _breakable(label_of(table, item)),
            f"${text}$",
            "" if item.share is None else f"{100 * item.share:.1f}\\,\\%",
        ]
        for item, text in zip(table.items, column.cells, strict=True)
    ]
    if column.rounding:
        rows.append(["rounding", f"${column.rounding}$", ""])
    total = [f"${symbol_in_latex(table.explanation.symbol)}$", f"${column.total}$", ""]
    body = " \\\\\n".join(" & ".join(row) for row in rows)
    end = " \\\\[0.5ex]\\hline\\rule{0pt}{3ex}%\n"
    inside = f"{first} & value{unit} & share{end}{body}{end}{' & '.join(total)}\n"
    labels = (len(label_of(table, item)) for item in table.items)
    first_column = "l" if max(labels) <= _LABEL_FITS else r"p{0.6\linewidth}"
    return f"{_TABLE % first_column}{inside}\\end{{tabular}}\\end{{center}}\n"


def _breakable(text: str) -> str:
    """A line of Python that may be broken after its punctuation."""
    return "".join(escape(c) + (r"\allowbreak{}" if c in ",(=.[" else "") for c in text)


def _paragraph(text: str) -> str:
    return f"{text}\\par\n"

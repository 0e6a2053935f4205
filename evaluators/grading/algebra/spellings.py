"""Tables of spellings: Unicode signs and LaTeX synonyms, each with the one spelling that is parsed."""

UNICODE = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ",
    "∗": "*", "÷": r"\div ", "∕": "/", "⁄": "/", "±": r"\pm ", "∓": r"\mp ", "√": r"\sqrt ", "∛": r"\cbrt ",
    "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
    "∈": r"\in ", "∉": r"\notin ", "∪": r"\cup ", "∩": r"\cap ", "∅": r"\emptyset ", "Ø": r"\emptyset ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}",
    "°": r"^\circ ", "º": r"^\circ ", "′": "'", "’": "'", "‘": "'", "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ",
    "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "λ": r"\lambda ", "μ": r"\mu ", "φ": r"\phi ", "ϕ": r"\phi ",
    "ω": r"\omega ", "σ": r"\sigma ", "τ": r"\tau ", "ρ": r"\rho ", "Δ": r"\Delta ", "⟨": r"\langle ",
    "⟩": r"\rangle ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∣": "|",
    "…": r"\ldots ", "€": "", "£": "", "¥": "", "\u200b": "", "\ufeff": "", "∖": r"\setminus ",
}  # fmt: skip
COMMANDS = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "leq": "le",
    "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "varnothing": "emptyset",
    "O": "emptyset", "lbrace": "{", "rbrace": "}",
    "rvert": "lvert", "vert": "lvert", "cdots": "ldots", "dots": "ldots", "dotsc": "ldots",
    "dotsb": "ldots", "operatorname": "text", "mathrm": "text", "textrm": "text",
    "mbox": "text", "hbox": "text", "textbf": "text", "textit": "text", "textsf": "text", "texttt": "text",
    "textnormal": "text", "textup": "text", "emph": "text", "mathbf": "text", "mathit": "text",
    "boldsymbol": "text", "mathsf": "text", "bf": "", "rm": "", "it": "", "bm": "text", "textsc": "text",
    "mathnormal": "text", "lnot": "neg", "rightarrow": "to", "varphi": "phi", "varepsilon": "epsilon",
    "vartheta": "theta", "ast": "times", "star": "times", "land": "wedge", "lor": "vee",
    "degrees": "degree", "textdegree": "degree",
    "backslash": "setminus", "smallsetminus": "setminus", "bigcup": "cup", "iff": "",
    "implies": "to", "Rightarrow": "to", "euro": "", "pounds": "", "textdollar": "",
    "dollar": "", "percent": "%",
}  # fmt: skip
DROPPED = frozenset({
    "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl",
    "Biggr", "bigm", "middle", "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "mathstrut",
    "strut", "allowbreak", "nonumber", "nobreak", "hfill", "quad", "qquad", "hspace", "vspace", "mathopen",
    "mathclose", "mathord", "mathbin", "mathrel", "ensuremath", "large", "Large", "huge", "normalsize", "small",
    "tiny", "enspace", "thinspace",
})  # fmt: skip

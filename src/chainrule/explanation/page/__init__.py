"""One HTML file in which every number of a step opens, without a server and without a network.

`content` says what the file holds, `trees` how a formula is written into it, `document` puts the
file together. What the page does is in the files of JavaScript beside them, in the order in which
`document` names them; how it looks is in `page.css`. Nothing of an op is known here: where the
parts of a number are is measured (`forms`), how it is written comes from the op table.
"""

from chainrule.explanation.page.document import to_html as to_html

"""How fast chainrule is, beside others on the same work. `README.md` says what is measured."""

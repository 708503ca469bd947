"""chainrule: backpropagation that trains at machine speed and explains every number."""

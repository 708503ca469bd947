"""A network that is nothing but its parameters."""

from chainrule.eager import Tensor


class Net:
    def __init__(self, **parameters):
        # Keyword names have no dots: "0__weight" stands for the path "0.weight".
        self.parameters = {
            name.replace("__", "."): Tensor(value) for name, value in parameters.items()
        }

    def trainable_parameters(self):
        return self.parameters

    def numpy(self):
        return {name: tensor.numpy() for name, tensor in self.parameters.items()}

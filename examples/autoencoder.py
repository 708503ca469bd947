"""An autoencoder: the digits through eight numbers and back.

    python examples/autoencoder.py

The network learns to give what it is given, 64 pixels, although only 8 numbers fit through its
middle. The best that a linear map can do with 8 numbers is known in closed form (the principal
components); what is better than that, the layers of tanh found.
"""

import numpy as np

import chainrule as cr
from chainrule import data, nn, optim

CODE = 8
EPOCHS = 25


def main():
    train, held_out = data.load("digits").split(0.2, seed=0)
    encoder = nn.Sequential(nn.Linear(64, 96), nn.Tanh(), nn.Linear(96, CODE))
    decoder = nn.Sequential(nn.Linear(CODE, 96), nn.Tanh(), nn.Linear(96, 64), nn.Sigmoid())
    net = nn.Sequential(encoder, decoder)
    cr.fit(
        net,
        train.x,
        train.x,  # the input is its own target
        loss=nn.MSELoss(),
        optimizer=optim.Adam(lr=5e-3),
        schedule=optim.CosineAnnealingLR(T_max=EPOCHS),
        batch_size=48,
        epochs=EPOCHS,
    )
    codes = encoder.predict(held_out.x)
    restored = decoder.predict(codes)
    return {
        "codes": codes,
        "digits": held_out.x,
        "restored": restored,
        "autoencoder": mean_square(restored - held_out.x),
        "principal components": mean_square(project(train.x, held_out.x) - held_out.x),
        "variance": mean_square(train.x.mean(axis=0) - held_out.x),
    }


def project(x, others):
    """`others` through the first principal components of `x`, and back."""
    mean = x.mean(axis=0)
    components = np.linalg.svd(x - mean, full_matrices=False)[2][:CODE]
    return (others - mean) @ components.T @ components + mean


def mean_square(difference):
    return float(np.mean(difference**2))


def picture(pixels):
    """An image of 8 x 8 pixels as text."""
    shades = np.array(list(" .:-=+*#%@"))
    levels = np.clip(pixels.reshape(8, 8) * len(shades), 0, len(shades) - 1).astype(int)
    return ["".join(row) for row in np.repeat(shades[levels], 2, axis=1)]


if __name__ == "__main__":
    found = main()
    for name in ("variance", "principal components", "autoencoder"):
        print(f"{name:>20}  {found[name]:.4f} per pixel, of digits it had never seen")
    for before, after in zip(found["digits"][:3], found["restored"][:3], strict=True):
        print()
        for left, right in zip(picture(before), picture(after), strict=True):
            print(f"{left}   {right}")

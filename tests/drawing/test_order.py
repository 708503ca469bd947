"""Known graphs have as few crossings as they can."""

import random
from itertools import combinations

import pytest

from chainrule.drawing.layers import assign_layers
from chainrule.drawing.nesting import strong_components
from chainrule.drawing.order import Layered, count_crossings, order_layers


def layered(layers, arcs):
    count = sum(map(len, layers))
    up, down = ([[] for _ in range(count)] for _ in range(2))
    for a, b in arcs:
        down[a].append((b, 0.0, 0.0))
        up[b].append((a, 0.0, 0.0))
    return Layered(layers, up, down, [0.0] * count)


def crossings_by_pairs(layers, arcs):
    place = {node: p for layer in layers for p, node in enumerate(layer)}
    level = {node: i for i, layer in enumerate(layers) for node in layer}
    return sum(
        (place[a] - place[c]) * (place[b] - place[d]) < 0
        for (a, b), (c, d) in combinations(arcs, 2)
        if level[a] == level[c]
    )


def fewest(layers, arcs):
    drawing = layered(layers, arcs)
    ordered = order_layers(drawing)
    assert sorted(map(sorted, ordered)) == sorted(map(sorted, layers))
    return count_crossings(drawing, ordered)


def test_a_tree_has_none():
    layers = [[0], [2, 1], [6, 3, 5, 4]]
    arcs = [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6)]
    assert fewest(layers, arcs) == 0


def test_a_twisted_ladder_has_none():
    layers = [[0, 1], [3, 2], [4, 5], [7, 6]]
    arcs = [(0, 2), (2, 4), (4, 6), (1, 3), (3, 5), (5, 7)]
    assert fewest(layers, arcs) == 0


def test_a_shuffled_grid_of_paths_has_none():
    random_ = random.Random(3)
    layers = [[10 * level + i for i in range(10)] for level in range(8)]
    arcs = [(10 * level + i, 10 * level + 10 + i) for level in range(7) for i in range(10)]
    for layer in layers:
        random_.shuffle(layer)
    assert fewest(layers, arcs) == 0


@pytest.mark.parametrize(("m", "n"), [(2, 2), (3, 3), (4, 3)])
def test_a_complete_pair_of_layers_has_those_it_must_have(m, n):
    arcs = [(i, m + j) for i in range(m) for j in range(n)]
    layers = [list(range(m)), list(range(m, m + n))]
    assert fewest(layers, arcs) == m * (m - 1) // 2 * (n * (n - 1) // 2)


@pytest.mark.parametrize("seed", range(20))
def test_crossings_are_counted_as_pairs_that_cross(seed):
    random_ = random.Random(seed)
    layers = [list(range(6)), list(range(6, 12)), list(range(12, 18))]
    for layer in layers:
        random_.shuffle(layer)
    arcs = list(
        {
            (a, b)
            for _ in range(20)
            for upper, lower in (layers[:2], layers[1:])
            for a, b in [(random_.choice(upper), random_.choice(lower))]
        }
    )
    assert count_crossings(layered(layers, arcs), layers) == crossings_by_pairs(layers, arcs)


def test_fixed_layers_stay_as_they_are():
    arcs = [(0, 3), (1, 2)]
    drawing = layered([[0, 1], [2, 3]], arcs)
    assert order_layers(drawing, fixed=[0])[0] == [0, 1]
    assert order_layers(drawing, fixed=[0, 1]) == [[0, 1], [2, 3]]


def test_bands_stay_apart_even_where_that_crosses():
    drawing = layered([[0, 1], [2, 3]], [(0, 3), (1, 2)])
    drawing = Layered(drawing.layers, drawing.up, drawing.down, [0.0, 1.0, 0.0, 1.0])
    assert order_layers(drawing) == [[0, 1], [2, 3]]


# --- layers ------------------------------------------------------------------------------------


def test_every_link_goes_to_a_later_layer():
    random_ = random.Random(1)
    links = [(a, b) for a, b in combinations(range(60), 2) if random_.random() < 0.05]
    layer = assign_layers(60, links, [], [])
    assert all(layer[a] < layer[b] for a, b in links)
    assert set(layer) == set(range(max(layer) + 1))


def test_an_input_stands_just_above_what_reads_it():
    #   0 -> 1 -> 2 -> 3, and 4 -> 3
    assert assign_layers(5, [(0, 1), (1, 2), (2, 3), (4, 3)], [], []) == [0, 1, 2, 3, 2]


def test_ports_have_the_first_and_the_last_layer_for_themselves():
    layer = assign_layers(5, [(0, 1), (1, 2), (2, 3)], first=[0], last=[3])
    assert layer[0] == 0
    assert layer[3] == max(layer)
    assert 0 < layer[4] < layer[3]


def test_circles_are_found():
    after = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": ["e"], "e": ["d"], "f": []}
    found = sorted(map(sorted, strong_components(after)))
    assert found == [["a", "b", "c"], ["d", "e"], ["f"]]

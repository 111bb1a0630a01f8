"""The simulated world: the real engine, with time, chance, network, helpers and disk handed in,
played from one seed.

``./dev simulate --seeds 1000`` plays stories, ``./dev simulate --seed 4711 -v`` tells one.
"""

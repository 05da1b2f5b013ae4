"""The few distribution functions that the package needs, as plain floats.

`scipy.special` is imported on first use: it costs more than the rest of the package together.
"""


def t_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Where Student's t has `probability` to its left."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, probability))


def t_two_sided_p(statistic: float, degrees_of_freedom: float) -> float:
    """The probability that |t| is at least `statistic`."""
    from scipy.special import stdtr

    return float(2.0 * stdtr(degrees_of_freedom, -abs(statistic)))


def normal_quantile(probability: float) -> float:
    """Where the standard normal distribution has `probability` to its left."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def chi_square_p(statistic: float, degrees_of_freedom: int) -> float:
    """The probability that chi-square is at least `statistic`."""
    from scipy.special import chdtrc

    return float(chdtrc(degrees_of_freedom, statistic))


def chi_square_noncentrality(threshold: float, degrees_of_freedom: int, power: float) -> float:
    """The noncentrality at which chi-square passes the level-`threshold` test with probability `power`."""
    from scipy.special import chdtri, chndtrinc

    critical = chdtri(degrees_of_freedom, threshold)
    return float(chndtrinc(critical, degrees_of_freedom, 1.0 - power))

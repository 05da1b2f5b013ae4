"""The few distribution functions that the package needs, as plain floats.

`scipy.special` is imported on first use: it costs more than the rest of the package together.
"""

FARTHEST = 20.0
"""Standard normal value up to which its tail is translated to Student's t exactly."""


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


def normal_two_sided_p(statistic: float) -> float:
    """The probability that a standard normal is at least `statistic` from zero."""
    from scipy.special import ndtr

    return float(2.0 * ndtr(-abs(statistic)))


def normal_probability(value: float) -> float:
    """The probability that a standard normal is below `value`."""
    from scipy.special import ndtr

    return float(ndtr(value))


def t_as_normal(statistic: float, degrees_of_freedom: float) -> float:
    """The standard normal value with the same two-sided p-value as Student's t, with its sign.

    Beyond 20 standard errors, where tails leave floating point, both grow in proportion.
    """
    from scipy.special import ndtri, stdtr

    farthest = _farthest_t(degrees_of_freedom)
    if abs(statistic) >= farthest:
        return FARTHEST * statistic / farthest
    size = -float(ndtri(stdtr(degrees_of_freedom, -abs(statistic))))
    return size if statistic > 0 else -size


def normal_as_t(value: float, degrees_of_freedom: float) -> float:
    """The inverse of `t_as_normal`, for a value above zero."""
    from scipy.special import ndtr, stdtrit

    if value >= FARTHEST:
        return _farthest_t(degrees_of_freedom) * value / FARTHEST
    return -float(stdtrit(degrees_of_freedom, float(ndtr(-value))))


def _farthest_t(degrees_of_freedom: float) -> float:
    from scipy.special import ndtr, stdtrit

    return -float(stdtrit(degrees_of_freedom, float(ndtr(-FARTHEST))))


def chi_square_p(statistic: float, degrees_of_freedom: int) -> float:
    """The probability that chi-square is at least `statistic`."""
    from scipy.special import chdtrc

    return float(chdtrc(degrees_of_freedom, statistic))


def chi_square_noncentrality(threshold: float, degrees_of_freedom: int, power: float) -> float:
    """The noncentrality at which chi-square passes the level-`threshold` test with probability `power`."""
    from scipy.special import chdtri, chndtrinc

    critical = chdtri(degrees_of_freedom, threshold)
    return float(chndtrinc(critical, degrees_of_freedom, 1.0 - power))


def kolmogorov_p(statistic: float) -> float:
    """The probability that the largest gap between n uniform values and their law is this, times sqrt(n)."""
    from scipy.special import kolmogorov

    return float(kolmogorov(statistic))

import pytest

from stylize.training.schedule import Plateau, Schedule

NEW = Plateau()


def test_a_cosine_warms_up_and_ends_at_zero() -> None:
    schedule = Schedule("cosine", warmup_steps=100)
    factors = [schedule.factor_at(step, 1000, NEW) for step in (0, 99, 100, 550, 1000)]
    assert factors == pytest.approx([0.01, 1.0, 1.0, 0.5, 0.0])


def test_steps_fall_after_every_share_of_the_run() -> None:
    schedule = Schedule("step", warmup_steps=0, decay=0.1, every_share=0.5)
    assert [schedule.factor_at(step, 100, NEW) for step in (0, 49, 50, 99)] == pytest.approx([1, 1, 0.1, 0.1])


def test_a_constant_rate_stays() -> None:
    assert Schedule("constant", warmup_steps=0).factor_at(10**6, 10, NEW) == 1


def test_a_plateau_lowers_the_rate_once_the_loss_stops_falling() -> None:
    schedule = Schedule("plateau", warmup_steps=0, decay=0.5, patience_steps=50)
    plateau = NEW
    for step in range(300):
        plateau = plateau.after(step, 1 + 9 * 0.99**step, schedule)
        if step == 100:
            assert plateau.factor == 1
    for step in range(300, 1500):
        plateau = plateau.after(step, 1.0, schedule)
    assert plateau.factor <= 0.5
    assert schedule.factor_at(1500, 2000, plateau) == plateau.factor


@pytest.mark.parametrize("slip", [{"decay": 0.0}, {"warmup_steps": -1}, {"every_share": 1.5}])
def test_settings_out_of_range_are_refused(slip: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        Schedule(**slip)  # type: ignore[arg-type]

from pathlib import Path

from stylize.evaluate.log import MeasurementLog


def test_records_are_found_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "work" / "log.jsonl"
    MeasurementLog(path).add("photo udnie", {"ssim": 0.5})
    log = MeasurementLog(path)
    assert log["photo udnie"] == {"ssim": 0.5}
    assert "photo the_scream" not in log


def test_a_line_torn_by_a_crash_is_taken_off_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = MeasurementLog(path)
    log.add("first", {"x": 1})
    log.add("second", {"x": 2})
    whole = path.read_bytes()
    for n_bytes in range(len(whole) // 2 + 1, len(whole)):
        path.write_bytes(whole[:n_bytes])
        assert "second" not in MeasurementLog(path)
    MeasurementLog(path).add("third", {"x": 3})
    assert [key in MeasurementLog(path) for key in ("first", "second", "third")] == [True, False, True]


def test_without_a_path_records_last_as_long_as_the_log() -> None:
    log = MeasurementLog(None)
    log.add("key", {"x": 1})
    assert log["key"] == {"x": 1}

"""`personalize retrain`: one night."""

from personalize.commands.options import AsJson, DataDir, console, print_json, settings_from


def retrain(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Train on the log, judge against the champion, promote or refuse with the reasons."""
    from personalize.engine import Engine

    with Engine.open(settings_from(data_dir)) as engine:
        report = engine.retrain()
    if as_json:
        print_json(report.to_dict())
        return
    console.print(f"[bold]{report.model_version or 'no model'}[/bold]: {report.verdict}")
    for reason in report.reasons:
        console.print(f"  {reason}", markup=False)

"""Mappers that ask people."""

from __future__ import annotations

from djfast.declare import Mapper, param
from djfast.expr import Expr, call, field, member

_NOTIFICATIONS = "djfast sends no messages; Label Studio has webhooks, and the report of a run tells how it went"


class HumanPreferenceAnnotationMapper(Mapper, name="human_preference_annotation_mapper"):
    """Asks people in Label Studio which of two answers is better.

    Each row becomes one task, with the members `prompt`, `answer1` and `answer2`. Where it waits, the answer that was selected
    and the other one go to their fields; a task that was skipped leaves them as they are. Where it does not wait, the rows stay
    as they are, and the server has the tasks. A prompt may be missing or empty. A row that has not two answers is rejected, and
    so are rows whose tasks could not be made, or were not done in time.

    Rows wait together, batch by batch, and each thread has one batch on its way: the recipe's `batch_bytes` says how much people
    see at once. Each run makes its tasks anew, and a run with ranks makes one project a rank, unless `project_id` names one. The
    environment's LABEL_STUDIO_API_KEY goes to the host of LABEL_STUDIO_URL only.
    """

    acts_outside = True

    label_config_file: str | None = param("File with the labelling interface, XML of Label Studio.", default=None)
    answer1_key: str = param("Field of the first answer, which is shown at the left.", default="answer1")
    answer2_key: str = param("Field of the second answer.", default="answer2")
    prompt_key: str = param("Field of what was asked.", default="prompt")
    chosen_key: str = param("Field that the better answer is written to.", default="chosen")
    rejected_key: str = param("Field that the other answer is written to.", default="rejected")
    api_url: str | None = param("Address of the server, http or https; null is LABEL_STUDIO_URL.", default=None)
    api_key: str | None = param("Token of the server; null is LABEL_STUDIO_API_KEY.", default=None, is_secret=True)
    label_config: str | None = param(
        "The labelling interface as XML; it goes before the file. Null of both takes one that comes with djfast.", default=None
    )
    project_name_prefix: str = param("Beginning of the name of a new project; the time follows.", default="DataJuicer_Annotation")
    wait_for_annotations: bool = param("Whether rows wait for what people say.", default=False)
    timeout: float = param("How long they wait.", default=3600, unit="seconds", ge=0)
    poll_interval: float = param("How often the server is asked.", default=60, unit="seconds", ge=0.01)
    samples_per_task: int = param("Rows of a task.", default=1, refused="people compare the two answers of one row")
    max_tasks_per_batch: int = param("Tasks that are sent at once.", default=100, unit="tasks", ge=1)
    project_id: int | None = param("Project that gets the tasks; null makes a new one.", default=None)
    notification_config: dict | None = param(  # type: ignore[type-arg]
        "Whom to tell.", default=None, no_effect=_NOTIFICATIONS, is_secret=True
    )
    notification_events: dict | None = param("What to tell.", default=None, no_effect=_NOTIFICATIONS)  # type: ignore[type-arg]

    def assign(self) -> dict[str, Expr]:
        """Return the better and the other answer."""
        preference = call(
            "annotated_preference",
            field(self.prompt_key),
            field(self.answer1_key),
            field(self.answer2_key),
            server={"api_url": self.api_url, "api_key": self.api_key},
            project={
                "name_prefix": self.project_name_prefix,
                "label_config": self.label_config,
                "label_config_file": self.label_config_file,
                "number": self.project_id,
            },
            waits=self.wait_for_annotations,
            timeout=self.timeout,
            poll_interval=self.poll_interval,
            max_tasks=self.max_tasks_per_batch,
        )
        return {self.chosen_key: member(preference, "chosen"), self.rejected_key: member(preference, "rejected")}

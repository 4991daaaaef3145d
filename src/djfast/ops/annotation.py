"""Mappers that ask people."""

from __future__ import annotations

from djfast.declare import Mapper, param
from djfast.expr import Expr, call, field, member

_NOTIFICATIONS = "djfast sends no messages; Label Studio has webhooks, and the report of a run tells how it went"


class HumanPreferenceAnnotationMapper(Mapper, name="human_preference_annotation_mapper"):
    """Asks people in Label Studio which of two answers is better.

    Each row becomes one task with the members `prompt`, `answer1` and `answer2`. If the OP waits for the answers, the
    selected answer and the other one go to their fields; a skipped task leaves the fields as they are. If it does not wait,
    the rows do not change, and the server has the tasks. A prompt may be missing or empty. A row is rejected if it does not
    have two answers, or if its task could not be created or was not done in time.

    Rows wait together, batch by batch, and each thread has one batch in progress, so `batch_bytes` of the recipe decides how
    much people see at once. Each run creates its tasks anew. A run with ranks creates one project per rank, unless
    `project_id` names one. The key LABEL_STUDIO_API_KEY of the environment is sent only to the host of LABEL_STUDIO_URL.
    """

    acts_outside = True

    label_config_file: str | None = param("File with the labelling interface, XML of Label Studio.", default=None)
    answer1_key: str = param("Field of the first answer, which is shown at the left.", default="answer1")
    answer2_key: str = param("Field of the second answer.", default="answer2")
    prompt_key: str = param("Field of the prompt.", default="prompt")
    chosen_key: str = param("Field that the better answer is written to.", default="chosen")
    rejected_key: str = param("Field that the other answer is written to.", default="rejected")
    api_url: str | None = param("Address of the server, http or https; null is LABEL_STUDIO_URL.", default=None)
    api_key: str | None = param("Token of the server; null is LABEL_STUDIO_API_KEY.", default=None, is_secret=True)
    label_config: str | None = param(
        "The labelling interface as XML; it has priority over the file. If both are null, the one that comes with djfast is "
        "used.",
        default=None,
    )
    project_name_prefix: str = param("Prefix of the name of a new project; the time follows.", default="DataJuicer_Annotation")
    wait_for_annotations: bool = param("Whether rows wait for the answers of people.", default=False)
    timeout: float = param("How long they wait.", default=3600, unit="seconds", ge=0)
    poll_interval: float = param("How often the server is asked.", default=60, unit="seconds", ge=0.01)
    samples_per_task: int = param("Rows of a task.", default=1, refused="people compare the two answers of one row")
    max_tasks_per_batch: int = param("Number of tasks in one request.", default=100, unit="tasks", ge=1)
    project_id: int | None = param("Project that gets the tasks; null makes a new one.", default=None)
    notification_config: dict | None = param(  # type: ignore[type-arg]
        "Receivers of notifications.", default=None, no_effect=_NOTIFICATIONS, is_secret=True
    )
    notification_events: dict | None = param("Events that send a notification.", default=None, no_effect=_NOTIFICATIONS)  # type: ignore[type-arg]

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

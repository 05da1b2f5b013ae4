"""What goes in and out of the API where people judge the styles."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from personalize.data.records import PairRating, ScoreRating
from personalize.service.schemas import Id


class _RatingBase(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rating_id: Id = Field(description="Chosen by the sender; sending it again is harmless.")
    rater_id: Id = Field(description="Who judged; DELETE /v1/users/{rater_id} erases their ratings.")
    product_id: Id


class ScoreIn(_RatingBase):
    """How good one style of a product looks."""

    kind: Literal["score"]
    style_id: Id
    score: Annotated[int, Field(strict=True, ge=1, le=5, description="1 is poor, 5 is excellent.")]

    def to_rating(self) -> ScoreRating:
        return ScoreRating(self.rating_id, self.rater_id, self.product_id, self.style_id, self.score)


class PairIn(_RatingBase):
    """Which of two styles of a product looks better."""

    kind: Literal["pair"]
    left_style_id: Id
    right_style_id: Id
    preferred: Literal["left", "right", "neither"]

    @model_validator(mode="after")
    def _has_two_styles(self) -> Self:
        if self.left_style_id == self.right_style_id:
            raise PydanticCustomError("same_style", "left and right are the same style; name two")
        return self

    def to_rating(self) -> PairRating:
        sides = {"left": self.left_style_id, "right": self.right_style_id, "neither": None}
        return PairRating(
            self.rating_id,
            self.rater_id,
            self.product_id,
            self.left_style_id,
            self.right_style_id,
            sides[self.preferred],
        )


RatingIn = Annotated[ScoreIn | PairIn, Field(discriminator="kind")]
RatingKind = Literal["pair", "score"]


class RatingAnswer(BaseModel):
    """The rating is on disk; `duplicate` means that it was there already, and the first one counts."""

    rating_id: str
    status: Literal["accepted", "duplicate"]


class RatingPicture(BaseModel):
    style_id: str
    image_url: str
    image_width: int
    image_height: int


class RatingTask(BaseModel):
    """What to judge next: one picture, or two with the left one first."""

    kind: RatingKind
    product_id: str
    product_title: str
    pictures: list[RatingPicture]


class FigureOut(BaseModel):
    """A number with its 95 % interval and what it rests on; null with the reason in `why_none`."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    why_none: str | None


class StyleStandingOut(BaseModel):
    """One style, judged by eye, by measure and by behaviour."""

    style_id: str
    title: str
    preferred: FigureOut = Field(description="Probability of being preferred to an average style.")
    opinion: FigureOut = Field(description="Score from 1 to 5 by the average rater.")
    psnr_db: FigureOut = Field(description="Likeness to the photo, in decibels.")
    ssim: FigureOut = Field(description="Likeness to the photo, at most 1.")
    recognised: FigureOut = Field(description="Share of renders in which the product is recognised.")
    identified: FigureOut = Field(description="Share of renders from which the style can be told.")
    ctr: FigureOut = Field(description="Clicked impressions over impressions.")


class StylesJudgedAnswer(BaseModel):
    """Every style on offer, the most clicked first."""

    standings: list[StyleStandingOut]
    sentences: list[str]
    notes: list[str]
    n_comparisons: int
    n_scores: int
    n_raters: int

import pytest

from forecast.errors import ParameterError
from forecast.models import MODELS, class_of, create, name_of
from tests.toys import Toy


@pytest.mark.parametrize("name", MODELS)
def test_every_name_makes_its_model_with_no_option(name):
    model = create(name)
    assert name_of(model) == name
    assert class_of(name) is type(model)
    assert create(name, alias="Mine").name == "Mine"


def test_names_are_read_in_any_case():
    assert create("Seasonal-Naive").name == "SeasonalNaive"


def test_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(
        ParameterError, match="There is no model 'autoarima'; did you mean 'auto-arima'; the models are pretrained"
    ):
        create("autoarima")


def test_unknown_option_is_answered_with_the_nearest_and_all():
    with pytest.raises(
        ParameterError, match="AutoARIMA has no option 'maxp'; did you mean 'max_p'; its options are max_p"
    ):
        create("auto-arima", maxp=3)


def test_bad_option_is_refused_by_the_model():
    with pytest.raises(ParameterError, match="max_p is -1"):
        create("auto-arima", max_p=-1)


def test_model_that_is_not_registered_has_no_name():
    with pytest.raises(ParameterError, match="Toy is not a registered model"):
        name_of(Toy())

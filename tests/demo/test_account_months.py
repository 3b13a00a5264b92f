import numpy as np
import pandas as pd
import pytest

from release_core.demo import SOURCE
from release_core.demo.credit import account_months


@pytest.fixture(scope="module")
def frame():
    return account_months.read(SOURCE)


@pytest.fixture(scope="module")
def clients():
    return pd.read_parquet(SOURCE).set_index("ID")


def test_every_client_has_six_months_and_one_half(frame):
    assert len(frame) == 180_000
    assert (frame.groupby("client")["month"].nunique() == 6).all()
    assert (frame.groupby("client")["reviewed"].nunique() == 1).all()
    assert frame.groupby("client")["reviewed"].first().sum() == 15_000


@pytest.mark.parametrize(
    ("month", "pay", "bill", "paid", "following"),
    [
        ("2005-04", "PAY_6", "BILL_AMT6", "PAY_AMT6", "PAY_5"),
        ("2005-05", "PAY_5", "BILL_AMT5", "PAY_AMT5", "PAY_4"),
        ("2005-06", "PAY_4", "BILL_AMT4", "PAY_AMT4", "PAY_3"),
        ("2005-07", "PAY_3", "BILL_AMT3", "PAY_AMT3", "PAY_2"),
        ("2005-08", "PAY_2", "BILL_AMT2", "PAY_AMT2", "PAY_0"),
        ("2005-09", "PAY_0", "BILL_AMT1", "PAY_AMT1", None),
    ],
)
def test_month_reads_its_own_columns_and_the_next_months_label(frame, clients, month, pay, bill, paid, following):
    rows = frame[frame["month"] == month].set_index("client")
    assert (rows["pay"] == clients[pay]).all()
    assert (rows["bill"] == clients[bill]).all()
    assert (rows["paid"] == clients[paid]).all()
    if following is None:
        assert rows["late"].isna().all()
    else:
        assert (rows["late"] == (clients[following] >= 2)).all()


def test_ratios_are_bounded(frame):
    assert frame["payratio"].between(0, 2).all()
    assert np.isfinite(frame["util"]).all()


def test_no_segment_is_a_feature():
    assert set(account_months.FEATURES).isdisjoint({"age", "sex", "education", "marriage", "late", "client", "month"})

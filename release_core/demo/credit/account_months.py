"""Takes the UCI file of one row per client and gives the account-months that the credit releases decide on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

# UCI numbers its columns backwards, from September (PAY_0, BILL_AMT1, PAY_AMT1) to April (PAY_6, ...).
MONTHS = {"2005-04": 6, "2005-05": 5, "2005-06": 4, "2005-07": 3, "2005-08": 2, "2005-09": 1}
FEATURES = ["limit", "pay", "bill", "paid", "util", "payratio"]
LATE = 2
SPLIT_SEED = 1


def read(source: Path) -> pd.DataFrame:
    """Return one row per client and month: client, month, reviewed, features, segments' raw columns, late.

    `late` is 1 if the next month's status is two or more months late, else 0; NaN in September, whose
    next month the file does not hold. `reviewed` tells the clients that no model was fitted on.
    """
    clients = pd.read_parquet(source)
    frame = pd.concat([_month(clients, month) for month in MONTHS], ignore_index=True)
    frame["reviewed"] = frame["client"].isin(reviewed_clients(clients["ID"].to_numpy()))
    return frame


def reviewed_clients(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the half of the client ids that is reviewed; the other half is the fitting half."""
    _, reviewed = train_test_split(ids, test_size=0.5, random_state=SPLIT_SEED)
    return np.sort(reviewed)


def _month(clients: pd.DataFrame, month: str) -> pd.DataFrame:
    number = MONTHS[month]
    limit = clients["LIMIT_BAL"].astype(float)
    bill = clients[f"BILL_AMT{number}"].astype(float)
    paid = clients[f"PAY_AMT{number}"].astype(float)
    return pd.DataFrame(
        {
            "client": clients["ID"].astype("int64"),
            "month": month,
            "limit": limit,
            "pay": clients[_status(number)].astype("int64"),
            "bill": bill,
            "paid": paid,
            "util": bill / limit,
            "payratio": np.clip(paid / np.maximum(bill.abs(), 1.0), 0.0, 2.0),
            "age": clients["AGE"],
            "sex": clients["SEX"],
            "education": clients["EDUCATION"],
            "marriage": clients["MARRIAGE"],
            "late": _late(clients, number),
        }
    )


def _late(clients: pd.DataFrame, number: int) -> pd.Series | float:
    return (clients[_status(number - 1)] >= LATE).astype(float) if number > 1 else float("nan")


def _status(number: int) -> str:
    """Return UCI's name of the repayment status of statement `number`; there is no PAY_1."""
    return f"PAY_{0 if number == 1 else number}"

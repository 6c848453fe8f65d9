"""Write the schedules of the shipped ladders anew, to be read before they are committed: python -m tests.schedules"""

from tests.builders import the_ladders
from tests.schedules.schedule import FOLDER, schedule

if __name__ == "__main__":
    for name, policy in the_ladders().items():
        (FOLDER / f"{name}.txt").write_text(schedule(policy), encoding="utf-8")

"""Text, the classic small example: five lines with the names of martial-arts schools, an embedding of 50, LSTM(100).

Run it with ``python docs/schools.py``; it learns the names for 200 epochs and continues 少林 and 武当. Each name is a
text of its own, so the model knows where names end.

The same at a shell, the names being one a line in names.txt:

    forecast text train names.txt --lines --embedding 50 --hidden 100 --epochs 200 -o names.model
    forecast text generate names.model --prompt 少林 --length 20
"""

from forecast import TextModel

CORPUS = """
少林寺 少林禅院 少林武馆 少林棍僧堂
武当派 武当剑馆 武当道观 武当太极堂
峨眉派 峨眉剑院 峨眉金顶观
华山派 华山剑宗 华山气宗 华山论剑堂
昆仑派 昆仑三圣宫 昆仑雪山寺
"""


def main(draws: int = 8) -> dict[str, list[str]]:
    """Train, and continue two beginnings; returns the names drawn from each."""
    model = TextModel(embedding_size=50, hidden_size=100, max_epochs=200).fit(CORPUS.split())
    print(model.describe())
    return {
        beginning: [model.generate(beginning, length=20, seed=seed) for seed in range(draws)]
        for beginning in ("少林", "武当")
    }


if __name__ == "__main__":
    for beginning, names in main().items():
        print(f"{beginning}: {' '.join(dict.fromkeys(names))}")

import os


class A:
    def f(self, x):
        return x + 1

    def g(self):
        return {
            "a": 1,
        }


def main():
	print(A().f(2))

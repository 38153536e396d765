from seqcli.cli.attention_drawing import draw_attention

DRAWING = """\
     h
     u b
     n e
     d l
     e l
  두   ░░
개가 ██
   .\
"""  # a Korean letter takes two places of a terminal


def test_a_drawing_has_a_row_for_each_target_token_and_a_column_for_each_source_token() -> None:
    weights = [[0, 0.25], [1, 0], [0.1, 0.1]]
    assert draw_attention(["hunde", "bell"], ["두", "개가", "."], weights) == DRAWING


def test_an_empty_line_has_no_drawing() -> None:
    assert draw_attention([], [], []) == ""

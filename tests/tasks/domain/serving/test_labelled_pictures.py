"""What an export says about pictures of the inbox."""

from tasks.domain.labels.inbox_labels import InboxLabel
from tasks.domain.labels.manifest_formats.statements import ParsedManifest, Statement
from tasks.domain.serving.labelled_pictures import PictureLabel, merge_labels, sort_labels

A, B, C, D = (letter * 64 for letter in "abcd")


def say(image: str, label: str, **attributes: str) -> Statement:
    """Return what a row says about a picture."""
    return Statement(f"inbox/{image}.jpg", label, tuple(sorted(attributes.items())))


def test_each_picture_is_in_one_part() -> None:
    """One label counts, whatever its spelling and how often it is given; none, several and strangers are kept apart."""
    statements = [
        say(A, "Toy  Poodle", coat="white", **{"from": "inbox"}),
        say(A, "poodle"),
        say(A, ""),
        say(B, ""),
        say(C, "pug"),
        say(C, "boxer"),
        say(D, "pug"),
        Statement("elsewhere.jpg", "pug", ()),
    ]
    labelled = sort_labels(ParsedManifest(statements, []), {A, B, C}, {"toy poodle": "poodle"})
    assert labelled.labels == {A: PictureLabel("poodle", (("coat", "white"),))}
    assert labelled.unlabelled == (B,)
    assert labelled.disagreeing == {C: ("boxer", "pug")}
    assert labelled.unknown == (f"inbox/{D}.jpg", "elsewhere.jpg")


def test_a_former_label_stays_until_it_is_replaced() -> None:
    """What came in under another label stays and is named, unless it is to be replaced; others stand or are added."""
    label = {image: InboxLabel(f"{image}.jpg", name, ()) for image, name in ((A, "pug"), (B, "boxer"), (C, "corgi"))}
    other = InboxLabel(f"{A}.jpg", "boxer", ())
    came_in = {A: [other], B: [label[B]], D: [InboxLabel(f"{D}.jpg", "pug", ())]}
    merged = merge_labels(came_in, label)
    assert (merged.added, merged.replaced, merged.standing) == ((C,), (), (B,))
    assert merged.contradicting == {A: ("boxer", "pug")}
    assert set(merged.labels) == {other, label[B], label[C], *came_in[D]}
    replaced = merge_labels(came_in, label, replace=True)
    assert (replaced.added, replaced.replaced, replaced.contradicting) == ((C,), (A,), {})
    assert set(replaced.labels) == {*label.values(), *came_in[D]}


def test_two_labels_that_came_in_at_once_are_settled_by_replacing() -> None:
    """Where two people accepted one picture at once under two labels, both stay until a third call replaces them."""
    labels = [InboxLabel(f"{A}.jpg", name, ()) for name in ("boxer", "pug")]
    assert merge_labels({A: labels}, {A: labels[1]}).contradicting == {A: ("boxer and pug", "pug")}
    assert set(merge_labels({A: labels}, {A: labels[1]}).labels) == set(labels)
    assert merge_labels({A: labels}, {A: labels[1]}, replace=True).labels == (labels[1],)

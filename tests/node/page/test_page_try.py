"""node/page/views_try.py and try_pictures.py: where the model looked, in memory only."""

from __future__ import annotations

import re
from io import BytesIO

from PIL import Image

from node.page.try_pictures import KEPT_SECONDS, TryPictures
from node.store.users import Role
from tests.node.page.page_world import PageWorld, draw_page, post


def tried(page: PageWorld, client) -> list[str]:
    answer = post(client, "/try", files={"file": ("new.png", draw_page(), "image/png")})
    assert answer.status_code == 200, answer.text
    return re.findall(r'src="(/try/pictures/[^"]+)"', answer.text)


def test_each_reading_has_a_picture_of_where_the_model_looked(page):
    client = page.client("rashid")
    pictures = tried(page, client)
    assert len(pictures) == 2
    for path in pictures:
        answer = client.get(path)
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/png", "no-store")
        assert Image.open(BytesIO(answer.content)).width == 640


def test_who_cannot_see_the_picture_hears_it(page):
    answer = post(page.client("rashid"), "/try", files={"file": ("new.png", draw_page(), "image/png")})
    assert 'alt="Napa, 90% sure. Letters from left to right: N 90%, a 90%, p 90%, a 90%."' in answer.text


def test_the_model_of_another_lineage_is_heard_too(page):
    answer = post(page.client("rashid"), "/try", files={"file": ("new.png", draw_page(), "image/png")})
    assert re.search(r"Model of pp-ocr</dt><dd>Fexo 80%, letters <q>Fexo</q>", answer.text)


def test_a_picture_is_for_who_tried_the_page(page):
    page.add_user("farida", Role.REVIEWER)
    (path, _) = tried(page, page.client("rashid"))
    assert page.client("farida").get(path).status_code == 404
    assert page.client("olga").get(path).status_code == 403
    assert page.client().get(path).status_code == 303


def test_no_picture_stands_on_the_disk(page):
    client = page.client("rashid")
    (path, _) = tried(page, client)
    assert client.get(path).content[40:200] not in page.world.clinic.everything_on_disk()


def test_a_picture_is_forgotten_after_three_minutes():
    now = [0.0]
    kept = TryPictures(lambda: now[0])
    (name,) = kept.keep(b"rashid", [b"png"])
    now[0] = KEPT_SECONDS - 1
    assert kept.of(b"rashid", name) == b"png"
    now[0] = KEPT_SECONDS
    kept.forget_old()
    assert kept.of(b"rashid", name) is None


def test_the_oldest_pictures_go_when_there_are_too_many_bytes():
    kept = TryPictures(lambda: 0.0)
    names = kept.keep(b"rashid", [bytes(20 << 20), bytes(10 << 20), bytes(5 << 20)])
    assert [kept.of(b"rashid", name) is None for name in names] == [True, False, False]

import io
import tempfile
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from .management.commands.first_edition import landscape
from .models import Article, Reporter, Section


class PaperTestCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.city = Section.objects.create(name="City", slug="city")
        cls.reporter = Reporter.objects.create(name="Adela Whitcomb")
        cls.article = cls.publish("Bridge stays open")

    @classmethod
    def publish(cls, headline, **fields):
        fields = {"slug": headline.lower().replace(" ", "-"), "summary": "In short.", "body": "At length."} | fields
        return Article.objects.create(section=cls.city, reporter=cls.reporter, headline=headline, **fields)

    def setUp(self):
        cache.clear()
        self.addCleanup(cache.clear)


class PagesTests(PaperTestCase):
    def test_an_empty_paper_has_a_front_page(self):
        Article.objects.all().delete()
        self.assertContains(self.client.get("/"), "The presses have not run yet")

    def test_front_page_is_cached_and_the_article_is_not(self):
        self.assertContains(self.client.get("/"), "Bridge stays open")
        Article.objects.update(headline="Bridge closes")
        self.assertContains(self.client.get("/"), "Bridge stays open")
        self.assertContains(self.client.get(self.article.get_absolute_url()), "Bridge closes")
        cache.clear()
        self.assertContains(self.client.get("/"), "Bridge closes")

    def test_tomorrows_article_is_not_out_yet(self):
        draft = self.publish("Not before breakfast", published_at=timezone.now() + timedelta(hours=9))
        self.assertNotContains(self.client.get("/"), draft.headline)
        self.assertEqual(self.client.get(draft.get_absolute_url()).status_code, 404)

    def test_section_lists_its_own_articles_page_by_page(self):
        for number in range(10):
            self.publish(f"Story {number}")
        self.assertNotContains(self.client.get("/city/"), "Bridge stays open")
        self.assertContains(self.client.get("/city/?page=2"), "Bridge stays open")
        self.assertEqual(self.client.get("/nowhere/").status_code, 404)

    def test_search_needs_every_word(self):
        self.assertContains(self.client.get("/search/", {"q": "bridge WHITCOMB"}), self.article.get_absolute_url())
        self.assertNotContains(self.client.get("/search/", {"q": "bridge tolls"}), self.article.get_absolute_url())
        self.assertEqual(self.client.get("/search/", {"q": "\0"}).status_code, 200)

    def test_reading_list_is_kept_for_one_reader(self):
        save = reverse("save", args=[self.article.pk])
        self.assertContains(self.client.post(save, follow=True), "Bridge stays open")
        self.assertNotContains(self.client_class().get("/reading-list/"), "Bridge stays open")
        self.assertNotContains(self.client.post(save, follow=True), "Bridge stays open")


class DeskTests(PaperTestCase):
    def setUp(self):
        super().setUp()
        media = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(override_settings(MEDIA_ROOT=media))

    def test_an_editor_publishes_an_article_with_its_photograph(self):
        self.client.force_login(get_user_model().objects.create_superuser("editor"))
        form = {
            "section": self.city.pk,
            "reporter": self.reporter.pk,
            "headline": "Cranes are back",
            "slug": "cranes-are-back",
            "summary": "Early.",
            "body": "Very early.",
            "caption": "Dusk",
            "published_at_0": "2020-01-01",
            "published_at_1": "12:00:00",
            "photograph": SimpleUploadedFile("dusk.jpg", landscape(0.5, 0.5, [90, 90, 90], [9, 9, 9])),
        }
        self.assertRedirects(self.client.post("/admin/articles/article/add/", form), "/admin/articles/article/")
        page = self.client.get("/city/cranes-are-back/")
        self.assertContains(page, '<img src="/media/photographs/')
        self.assertContains(page, 'width="1200" height="800"')

    def test_first_edition_is_printed_once(self):
        call_command("first_edition", verbosity=0, stdout=io.StringIO())
        articles = Article.objects.count()
        call_command("first_edition", verbosity=0, stdout=io.StringIO())
        self.assertEqual(Article.objects.count(), articles)
        page = self.client.get("/")
        self.assertContains(page, "The old river bridge stays open")
        # The database knows the sizes, so that a page does not open its photographs.
        self.assertContains(page, 'width="1200" height="800"', count=4)

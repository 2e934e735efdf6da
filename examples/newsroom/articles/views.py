from django.core.paginator import Paginator
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import cache_page
from django.views.decorators.http import require_POST, require_safe

from .models import Article, Section


def masthead(request):
    """What every page shows at its top (a context processor)."""
    return {"sections": Section.objects.all(), "today": timezone.localtime()}


@require_safe
@cache_page(60)
def front_page(request):
    lead, *others = Article.objects.published()[:9] or [None]
    return render(request, "articles/front_page.html", {"lead": lead, "others": others})


@require_safe
def section(request, slug):
    section = get_object_or_404(Section, slug=slug)
    pages = Paginator(section.articles.published(), 10)
    context = {"section": section, "page": pages.get_page(request.GET.get("page"))}
    return render(request, "articles/section.html", context)


@require_safe
def article(request, section, slug):
    article = get_object_or_404(Article.objects.published(), section__slug=section, slug=slug)
    saved = article.pk in request.session.get("reading_list", [])
    return render(request, "articles/article.html", {"article": article, "saved": saved})


@require_safe
def search(request):
    words = request.GET.get("q", "").replace("\0", "").split()
    found = Article.objects.published()
    for word in words:
        found = found.filter(
            Q(headline__icontains=word)
            | Q(summary__icontains=word)
            | Q(body__icontains=word)
            | Q(reporter__name__icontains=word)
        )
    context = {"query": " ".join(words), "articles": found[:20] if words else []}
    return render(request, "articles/search.html", context)


@require_safe
def reading_list(request):
    """The articles that this reader put aside, kept in the session."""
    saved = request.session.get("reading_list", [])
    articles = Article.objects.published().in_bulk(saved)
    context = {"articles": [articles[pk] for pk in saved if pk in articles]}
    return render(request, "articles/reading_list.html", context)


@require_POST
def save(request, pk):
    """Put an article on the reading list, or take it off again."""
    article = get_object_or_404(Article.objects.published(), pk=pk)
    saved = request.session.get("reading_list", [])
    if article.pk in saved:
        request.session["reading_list"] = [other for other in saved if other != article.pk]
    else:
        request.session["reading_list"] = [article.pk, *saved][:20]
    return redirect("reading-list")

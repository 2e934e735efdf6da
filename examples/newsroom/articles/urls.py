from django.urls import path

from . import views

urlpatterns = [
    path("", views.front_page, name="front-page"),
    path("search/", views.search, name="search"),
    path("reading-list/", views.reading_list, name="reading-list"),
    path("reading-list/<int:pk>/", views.save, name="save"),
    path("<slug:slug>/", views.section, name="section"),
    path("<slug:section>/<slug:slug>/", views.article, name="article"),
]

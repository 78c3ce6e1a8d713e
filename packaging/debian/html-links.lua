-- A link to a page leads to its HTML. A link to a source that the package does not have becomes its text.
function Link(link)
    local target = link.target
    if target:match('^%a+:') or target:match('^#') then
        return link
    end
    if target:match('examples/') then
        return link
    end
    if target:match('%.md$') or target:match('%.md#') then
        link.target = target:gsub('%.md', '.html', 1)
        return link
    end
    return link.content
end

/* What the page is made of besides its HTML, as it stands in the program. PAGE_STAMP, of all of it, names the version. */
    .section .rodata
    .global page_css, page_css_end, page_js, page_js_end, page_stamp
page_css:
    .incbin "page.css"
page_css_end:
page_js:
    .incbin "page.js"
page_js_end:
page_stamp:
    .asciz PAGE_STAMP
    .section .note.GNU-stack, "", %progbits

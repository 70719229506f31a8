(function(){const codes={};return{codes}})()
